package main

import "time"

// result is what is written as JSON.
type result struct {
	Machine machine     `json:"machine"`
	Rows    []rowResult `json:"rows"`
	Figures []figure    `json:"figures"`
	Notes   []string    `json:"notes"` // what went wrong, and what was left out
}

// machine is what the numbers were made on, and of.
type machine struct {
	Time      time.Time `json:"time"`
	Cores     int       `json:"cores"`
	CPU       string    `json:"cpu"`
	Go        string    `json:"go"`
	Vault     string    `json:"vault"`
	Plugin    string    `json:"plugin"`
	Commit    string    `json:"commit"`
	Proxy     bool      `json:"proxy"` // between Vault and the orgs
	LoadStart string    `json:"load_at_start"`
	LoadEnd   string    `json:"load_at_end"`
	Rounds    int       `json:"rounds"`
	Duration  string    `json:"round_duration"`
}

type rowResult struct {
	Name     string          `json:"name"`
	Workers  int             `json:"workers"`
	Subjects []subjectResult `json:"subjects"`
}

type subjectResult struct {
	Name    string    `json:"name"` // its label
	Method  bool      `json:"okta"` // it calls Okta
	InVault bool      `json:"in_vault"`
	Rounds  []round   `json:"rounds"`
	All     latencies `json:"all"` // over the logins of all rounds
}

// round is what one subject did in one round.
type round struct {
	Round    int     `json:"round"`
	Position int     `json:"position"` // who was first is 0
	Logins   int     `json:"logins"`
	Failed   int     `json:"failed"`
	Seconds  float64 `json:"seconds"`
	latencies
	VaultCPU  float64 `json:"vault_cpu_s"`
	PluginCPU float64 `json:"plugin_cpu_s"` // of the subject's own processes
	BenchCPU  float64 `json:"bench_cpu_s"`  // the orgs and the clients
	VaultRSS  float64 `json:"vault_rss_mib"`
	PluginRSS float64 `json:"plugin_rss_mib"`
	Requests  int     `json:"okta_requests"`
	Connected int     `json:"okta_connections"` // new ones
}

// figure is a single number about a subject.
type figure struct {
	Name    string    `json:"name"`
	Subject string    `json:"subject"`
	Value   float64   `json:"value"`
	Unit    string    `json:"unit"`
	Samples []float64 `json:"samples,omitempty"` // that Value is the median of
}

// row finds a row by its name; nil if it was not measured.
func (r *result) row(name string) *rowResult {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// subject finds a subject of a row, also of a nil one.
func (r *rowResult) subject(label string) *subjectResult {
	if r == nil {
		return nil
	}
	for i := range r.Subjects {
		if r.Subjects[i].Name == label && len(r.Subjects[i].Rounds) > 0 {
			return &r.Subjects[i]
		}
	}
	return nil
}

// figure finds a number.
func (r *result) figure(name, subject string) (float64, bool) {
	for _, f := range r.Figures {
		if f.Name == name && f.Subject == subject {
			return f.Value, true
		}
	}
	return 0, false
}

// ratio compares the p50 of two subjects of a row, round by round.
func (r *rowResult) ratio(subject, to string) []float64 {
	a, b := r.subject(subject), r.subject(to)
	if a == nil || b == nil {
		return nil
	}
	p50 := func(r round) float64 { return r.P50 }
	return ratios(a.each(p50), b.each(p50))
}

func (s *subjectResult) each(value func(round) float64) []float64 {
	list := make([]float64, len(s.Rounds))
	for i, r := range s.Rounds {
		list[i] = value(r)
	}
	return list
}

// sum adds up a value of all rounds.
func (s *subjectResult) sum(value func(round) float64) (sum float64) {
	for _, v := range s.each(value) {
		sum += v
	}
	return sum
}

func (s *subjectResult) logins() float64 {
	return s.sum(func(r round) float64 { return float64(r.Logins) })
}

// rate is the number of logins in a second.
func (s *subjectResult) rate() float64 {
	return s.logins() / s.sum(func(r round) float64 { return r.Seconds })
}

// perLogin is a value by the number of logins.
func (s *subjectResult) perLogin(value func(round) float64) float64 { return s.sum(value) / s.logins() }

// cpu is the CPU time of 1000 logins in seconds: that of Vault and the
// subject's own processes, and the latter alone.
func (s *subjectResult) cpu() (all, plugin float64) {
	plugin = 1000 * s.perLogin(func(r round) float64 { return r.PluginCPU })
	return plugin + 1000*s.perLogin(func(r round) float64 { return r.VaultCPU }), plugin
}

// last is the value of the last round.
func (s *subjectResult) last(value func(round) float64) float64 {
	return value(s.Rounds[len(s.Rounds)-1])
}
