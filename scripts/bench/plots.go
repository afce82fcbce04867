package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var plotShape = draw.CircleGlyph{}

// logarithmic makes both axes logarithmic, with a tick at each of the xs.
func logarithmic(p *plot.Plot, xs []int) {
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Y.Tick.Marker = plot.TickerFunc(decades)
	var ticks []plot.Tick
	for _, x := range xs {
		ticks = append(ticks, plot.Tick{Value: float64(x), Label: strconv.Itoa(x)})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
}

// decades are ticks at 1, 2 and 5 of each power of ten.
func decades(least, most float64) (ticks []plot.Tick) {
	for power := math.Floor(math.Log10(least)); power <= math.Ceil(math.Log10(most)); power++ {
		for _, digit := range []float64{1, 2, 5} {
			if v := digit * math.Pow(10, power); v >= least && v <= most {
				ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
			}
		}
	}
	return ticks
}

// plotLatency is latency by the number of people who log in at once.
func plotLatency(r *result) (*plot.Plot, vg.Length, error) {
	p := newPlot("Password logins", "logins at once", "p50, ms")
	logarithmic(p, concurrencies)
	drawn := 0
	for _, subject := range []string{"builtin", "plugin", "toy", "approle", "bare"} {
		var points plotter.XYs
		for _, workers := range concurrencies {
			if s := r.row(passwordRow(workers, 0)).subject(subject); s != nil && s.All.P50 > 0 {
				points = append(points, plotter.XY{X: float64(workers), Y: s.All.P50})
			}
		}
		drawn += len(points)
		if err := addLine(p, subject, subject, points); err != nil {
			return nil, 0, err
		}
	}
	if drawn == 0 {
		return nil, 0, errNothing
	}
	return p, usualHeight, nil
}

// plotGroups is latency by the number of groups that people are in.
func plotGroups(r *result) (*plot.Plot, vg.Length, error) {
	p := newPlot(fmt.Sprintf("Logins of people in many groups, %d at once", membersEach), "groups of the person", "p50, ms")
	logarithmic(p, groupCounts[1:])
	styles := [][]vg.Length{nil, {vg.Points(6), vg.Points(2)}, {vg.Points(1.5), vg.Points(2)}}
	drawn := 0
	for i, mappings := range mappingCounts {
		for _, subject := range []string{"builtin", "plugin", "toy"} {
			var points plotter.XYs
			for _, groups := range groupCounts[1:] {
				if s := r.row(groupsRow(groups, mappings)).subject(subject); s != nil && s.All.P50 > 0 {
					points = append(points, plotter.XY{X: float64(groups), Y: s.All.P50})
				}
			}
			drawn += len(points)
			name := fmt.Sprintf("%s, %d groups mapped", subject, mappings)
			if err := addLine(p, name, subject, points, styles[i]...); err != nil {
				return nil, 0, err
			}
		}
	}
	if drawn == 0 {
		return nil, 0, errNothing
	}
	return p, 16 * vg.Centimeter, nil
}

// plotRatios is a bar for each row: the plugin's p50 by the builtin method's.
func plotRatios(r *result) (*plot.Plot, vg.Length, error) {
	ratio := func(subject string) func(*rowResult) float64 {
		return func(row *rowResult) float64 { return median(row.ratio(subject, "builtin")) }
	}
	p, height, err := r.bars("p50 by that of the builtin method, which is 1", "", map[string]func(*rowResult) float64{
		"plugin": ratio("plugin"), "toy": ratio("toy"),
	})
	if err != nil {
		return nil, 0, err
	}
	low, high := p.Y.Min, p.Y.Max
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: low}, {X: 1, Y: high}})
	if err != nil {
		return nil, 0, err
	}
	one.Color, one.Width = colors["builtin"], vg.Points(1.5)
	p.Add(one)
	return p, height, nil
}

// plotCPU is the CPU time of a login in each row but those of many groups,
// which would hide all others.
func plotCPU(r *result) (*plot.Plot, vg.Length, error) {
	cpu := func(subject string) func(*rowResult) float64 {
		return func(row *rowResult) float64 {
			s := row.subject(subject)
			if s == nil {
				return math.NaN()
			}
			all, _ := s.cpu()
			return all
		}
	}
	few := &result{Rows: slices.DeleteFunc(slices.Clone(r.Rows), func(row rowResult) bool {
		return strings.Contains(row.Name, " groups, ")
	})}
	return few.bars("CPU time of Vault and the plugin", "seconds per 1000 logins",
		map[string]func(*rowResult) float64{"builtin": cpu("builtin"), "plugin": cpu("plugin"), "toy": cpu("toy")})
}

// bars draws rows from top to bottom, with a bar for each subject.
func (r *result) bars(title, x string, values map[string]func(*rowResult) float64) (*plot.Plot, vg.Length, error) {
	if len(r.Rows) == 0 {
		return nil, 0, errNothing
	}
	p := newPlot(title, x, "")
	p.Legend.Left = false
	p.X.Min = 0
	const width = 7 // of a bar, in points
	var names []string
	for i := range r.Rows {
		names = append(names, r.Rows[i].Name)
	}
	slices.Reverse(names) // the first is at the top
	subjects := slices.DeleteFunc([]string{"builtin", "plugin", "toy"}, func(s string) bool { return values[s] == nil })
	for n, subject := range subjects {
		var lengths plotter.Values
		for i := range r.Rows {
			v := values[subject](&r.Rows[i])
			if math.IsNaN(v) {
				v = 0
			}
			lengths = append(lengths, v)
		}
		slices.Reverse(lengths)
		bars, err := plotter.NewBarChart(lengths, vg.Points(width))
		if err != nil {
			return nil, 0, err
		}
		bars.Horizontal, bars.Color = true, colors[subject]
		bars.LineStyle.Color = color.Transparent
		bars.Offset = vg.Points(width * (float64(len(subjects)-1)/2 - float64(n)))
		p.Add(bars)
		p.Legend.Add(subject, bars)
	}
	p.NominalY(names...)
	p.X.Max *= 1.2 // room for the legend
	return p, 3*vg.Centimeter + vg.Points(float64(len(names)*(len(subjects)*width+6))), nil
}
