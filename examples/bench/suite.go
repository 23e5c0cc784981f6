package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// suite is benchmarks of one package that are run as one process.
type suite struct {
	name   string
	pkg    string        // below the module
	bench  string        // a pattern, as -test.bench takes it
	times  string        // -test.benchtime
	rounds int           // how many processes, one after the other, of which the median counts
	takes  time.Duration // about, for a round
	needs  string        // a program, or ""
	debian string        // and the package that has it
	long   bool          // too much so for -short
	env    []string
}

var suites = []suite{
	{name: "client", pkg: "comet", bench: "^BenchmarkClient$", times: "20x", rounds: 3, takes: 15 * time.Second},
	{name: "failover", pkg: "comet", bench: "^BenchmarkFailover$", times: "2000x", rounds: 3, takes: 2 * time.Second},
	{name: "heads", pkg: "comet/server", bench: "^BenchmarkHead$", times: "20x", rounds: 3, takes: 16 * time.Second},
	{name: "among", pkg: "comet/server", bench: "^BenchmarkReadAmong$/.*/^100000$", times: "20x", rounds: 3, takes: 15 * time.Second, long: true},
	{name: "parked", pkg: "comet/server", bench: "^BenchmarkParked$", times: "1x", rounds: 1, takes: 20 * time.Second, long: true},
	{name: "etcd", pkg: "comet/server/etcd", bench: `^Benchmark(Apply|Read)$/^goroutines=\d+(,entries=10)?$`, times: "20x", rounds: 3, takes: 20 * time.Second,
		needs: "etcd", debian: "etcd-server"},
	{name: "slice", pkg: "comet/am", bench: "^BenchmarkSlice$", times: "1x", rounds: 2, takes: 30 * time.Second},
	{name: "guests", pkg: "comet", bench: "^BenchmarkGuests$", times: "1x", rounds: 2, takes: 60 * time.Second},
	{name: "footprint", pkg: "cmd", bench: "^BenchmarkFootprint$", times: "1x", rounds: 1, takes: 100 * time.Second, long: true},
}

// hurried is the suite as -short has it.
func (s suite) hurried() suite {
	s.rounds, s.times, s.takes = 1, "1x", s.takes/8
	return s
}

// command is what one would type to have the figures of one round.
func (s suite) command() string {
	return fmt.Sprintf("go test -run '^$' -bench '%s' -benchtime %s ./%s", s.bench, s.times, s.pkg)
}

// choose returns what is to be run, and the tables that come of it.
func choose(o options) (plan []suite, chosen []table, err error) {
	all, shown := slices.Clone(suites), slices.Clone(tables)
	for url := range strings.SplitSeq(o.head.urls, ",") {
		if url = strings.TrimSpace(url); url != "" {
			s, t := o.head.at(url)
			all, shown = append(all, s), append(shown, t)
		}
	}
	if o.client != "" {
		all, shown = append(all, commands(o)), append(shown, commandTable)
	}
	if o.only != "" {
		only := strings.Split(o.only, ",")
		for _, name := range only {
			if !slices.Contains(tableNames(), name) {
				return nil, nil, fmt.Errorf("%w: -only %s: there is no such table, but %s", errUsage, name, strings.Join(tableNames(), ", "))
			}
		}
		shown = slices.DeleteFunc(shown, func(t table) bool { return !t.added && !slices.Contains(only, t.name) })
	}
	for _, s := range all {
		wanted := slices.ContainsFunc(shown, func(t table) bool { return t.shows(s) })
		switch {
		case wanted && !o.short:
			plan = append(plan, s)
		case wanted && !s.long:
			plan = append(plan, s.hurried())
		}
	}
	return plan, shown, nil
}

// at measures the client against a deployed head, as against one of our own.
func (d deployed) at(url string) (suite, table) {
	s, t := suites[0], tables[0] // the client's
	s.name, s.env = "client at "+url, d.env(url)
	t.name, t.title, t.added, t.plots = s.name, t.title+", at "+url, true, nil
	t.rows = slices.Clone(t.rows)
	for i := range t.rows {
		t.rows[i].suite = s.name
	}
	return s, t
}

// env is how benchmarks are told of a deployed head.
func (d deployed) env(url string) []string {
	return []string{"TEST_DEPLOYED=" + url, "TEST_DEPLOYED_CACERT=" + d.cacert, "TEST_DEPLOYED_CERT=" + d.cert, "TEST_DEPLOYED_KEY=" + d.key, "TEST_DEPLOYED_SERVER_NAME=" + d.serverName}
}

// commands times an existing client's command, at the first deployed head if there is one.
func commands(o options) suite {
	s := suite{name: "command", pkg: "cmd", bench: "^BenchmarkCommand$", times: "10x", rounds: 3, takes: 10 * time.Second, env: []string{"TEST_CLIENT=" + o.client}}
	if url, _, _ := strings.Cut(o.head.urls, ","); url != "" {
		s.env = append(s.env, o.head.env(url)...)
	}
	return s
}
