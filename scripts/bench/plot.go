package main

import (
	"bytes"
	"errors"
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colors are those of the subjects, told apart by most eyes.
var colors = map[string]color.Color{
	"builtin":  color.RGBA{R: 0xd5, G: 0x5e, A: 0xff},
	"plugin":   color.RGBA{G: 0x72, B: 0xb2, A: 0xff},
	"toy":      color.RGBA{G: 0x9e, B: 0x73, A: 0xff},
	"approle":  color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	"bare":     color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	"userpass": color.RGBA{R: 0xe6, G: 0x9f, A: 0xff},
}

// plot draws the plots for which there are numbers, as SVG files in dir.
func (r *result) plot(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, drawn := range []struct {
		file string
		make func(*result) (*plot.Plot, vg.Length, error)
	}{
		{"latency.svg", plotLatency},
		{"ratios.svg", plotRatios},
		{"groups.svg", plotGroups},
		{"cpu.svg", plotCPU},
	} {
		p, height, err := drawn.make(r)
		if errors.Is(err, errNothing) {
			continue
		}
		if err == nil {
			err = save(p, height, filepath.Join(dir, drawn.file))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// save writes a plot with a margin, into which labels at its edges may reach.
func save(p *plot.Plot, height vg.Length, path string) error {
	const width, margin = 22 * vg.Centimeter, 0.5 * vg.Centimeter
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// errNothing says that nothing was measured that a plot could show.
var errNothing = errors.New("nothing to draw")

const usualHeight = 12 * vg.Centimeter

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.BackgroundColor = color.White
	p.Title.Padding = vg.Points(8)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	p.Add(plotter.NewGrid())
	return p
}

// addLine draws points that are joined, if there are any. dashes tell lines of
// one color apart.
func addLine(p *plot.Plot, name, subject string, points plotter.XYs, dashes ...vg.Length) error {
	if len(points) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = colors[subject], vg.Points(1.5), dashes
	marks.Color, marks.Shape = colors[subject], plotShape
	p.Add(line, marks)
	p.Legend.Add(name, line)
	return nil
}
