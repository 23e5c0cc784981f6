package main

import "slices"

// table is one that the README shows.
type table struct {
	name, title string
	rowsAre     string // what stands above the rows' names
	against     string // what stands above what they are held against, or ""
	columns     []column
	rows        []row
	plots       []plot
	added       bool // by flags: shown whatever -only says
}

type column struct {
	head, unit string // the unit as the benchmark reports it
	digits     int
}

type row struct{ label, against, suite, bench string }

// plot shows, for each row that is there, a bar for each of the units.
type plot struct {
	file, title, axis string
	units             []series
	reference         float64 // where a line is drawn, or 0
}

// series is a unit, and how bars of it are called: a format for the row's label.
type series struct{ unit, label string }

func (t table) shows(s suite) bool {
	return slices.ContainsFunc(t.rows, func(r row) bool { return r.suite == s.name })
}

// digits are those that the table shows of a unit.
func (t table) digits(unit string) int {
	return t.columns[slices.IndexFunc(t.columns, func(c column) bool { return c.unit == unit })].digits
}

func tableNames() (names []string) {
	for _, t := range tables {
		names = append(names, t.name)
	}
	return names
}

const ratio = "of-theirs"

var tables = []table{
	{
		name: "client", title: "The client over kept-alive mutual TLS, against bare `net/http` doing and decoding the same",
		rowsAre: "calls",
		columns: []column{{"of net/http's rate", ratio, 2}, {"times its allocated bytes", "x-bytes", 2}, {"calls/s on this machine", "calls/s", 0}},
		rows: []row{
			{"typed reads, 1 goroutine", "", "client", "BenchmarkClient/read/1"},
			{"typed reads, 16 goroutines", "", "client", "BenchmarkClient/read/16"},
			{"typed writes, 1 goroutine", "", "client", "BenchmarkClient/write/1"},
			{"typed writes, 16 goroutines", "", "client", "BenchmarkClient/write/16"},
		},
		plots: []plot{{"client.svg", "The client against bare net/http", "calls per second, as a part of those of bare net/http", []series{{ratio, "%s"}}, 1}},
	},
	{
		name: "failover", title: "A read once the client knows that one of two heads is dead",
		rowsAre: "heads",
		columns: []column{{"times as long as with the other one alone", "of-well", 2}, {"µs per read", "us-one-dead", 0}, {"µs, the other one alone", "us-well", 0}},
		rows:    []row{{"two, of which one refuses connections", "", "failover", "BenchmarkFailover"}},
	},
	{
		name: "heads", title: "A head over kept-alive mutual TLS, and its stores, against what they stand on",
		rowsAre: "head or store", against: "against",
		columns: []column{{"of its rate", ratio, 2}, {"calls/s on this machine", "calls/s", 0}},
		rows: []row{
			{"embedded, reads, 1 client", "bare `net/http` that answers as many bytes", "heads", "BenchmarkHead/read/1"},
			{"embedded, reads, 16 clients", "the same", "heads", "BenchmarkHead/read/16"},
			{"embedded, durable writes, 1 client", "one sync of the disk and one bare POST that stores nothing", "heads", "BenchmarkHead/write/1"},
			{"embedded, durable writes, 64 clients", "bare POSTs that store nothing", "heads", "BenchmarkHead/write/64"},
			{"etcd, changes, 1 caller", "etcd's own client doing the same transaction", "etcd", "BenchmarkApply/goroutines=1"},
			{"etcd, changes, 16 callers", "the same", "etcd", "BenchmarkApply/goroutines=16"},
			{"etcd, reads, 1 caller", "etcd's own client reading the key", "etcd", "BenchmarkRead/goroutines=1,entries=10"},
			{"etcd, reads, 16 callers", "the same", "etcd", "BenchmarkRead/goroutines=16,entries=10"},
		},
		plots: []plot{{"heads.svg", "Heads and their stores against what they stand on", "calls per second, as a part of those of what they are held against", []series{{ratio, "%s"}}, 1}},
	},
	{
		name: "among", title: "One read of the embedded store out of many entries, against one out of ten",
		rowsAre: "entries beside the one that is read",
		columns: []column{{"of the rate out of ten", ratio, 2}, {"reads/s on this machine", "calls/s", 0}},
		rows: []row{
			{"a hundred thousand of its own read token", "", "among", "BenchmarkReadAmong/own/100000"},
			{"a hundred thousand of others", "", "among", "BenchmarkReadAmong/others/100000"},
		},
	},
	{
		name: "parked", title: "Guests that wait at one head, each on a TLS connection of its own",
		rowsAre: "guests",
		columns: []column{{"KB of the head's heap and stacks each", "KB/client", 0}, {"KB of its process each", "resident-KB/client", 0}},
		rows:    []row{{"10,000", "", "parked", "BenchmarkParked"}},
	},
	{
		name: "slice", title: "A slice is put down, five families and two place-holders per VM, every change on disk",
		rowsAre: "VMs",
		columns: []column{{"s", "s", 2}, {"s, one call after the other, a connection each", "s-naive", 1}, {"times as long", "x-naive", 0}, {"MB, publisher", "MB", 0}},
		rows:    []row{{"100", "", "slice", "BenchmarkSlice/100"}, {"1000", "", "slice", "BenchmarkSlice/1000"}},
		plots: []plot{{"slice.svg", "A slice is put down", "seconds until all is on disk",
			[]series{{"s", "%s VMs"}, {"s-naive", "%s VMs, one call after the other"}}, 0}},
	},
	{
		name: "guests", title: "N guests learn the addresses of each other while these come in over five seconds",
		rowsAre: "who",
		columns: []column{{"ms from the last publication until the last knows all", "ms-lag", 0}, {"times as long as those told", "x-told", 0},
			{"times the bytes to be learned", "x-bytes", 1}, {"requests per guest", "requests/guest", 1}},
		rows: []row{
			{"100 guests, told", "", "guests", "BenchmarkGuests/told/100"},
			{"100 guests, asking every 10 s", "", "guests", "BenchmarkGuests/polled/100"},
			{"1000 guests, told", "", "guests", "BenchmarkGuests/told/1000"},
			{"1000 guests, asking every 10 s", "", "guests", "BenchmarkGuests/polled/1000"},
		},
		plots: []plot{
			{"guests-lag.svg", "N guests learn of each other: how long it takes", "ms from the last publication until the last guest knows all", []series{{"ms-lag", "%s"}}, 0},
			{"guests-bytes.svg", "N guests learn of each other: what it costs", "bytes on the wire, as times of the JSON that has to be learned", []series{{"x-bytes", "%s"}}, 1},
		},
	},
	{
		name: "footprint", title: "comet-guest, a process of its own in a slice of 1,000 VMs",
		rowsAre: "guest",
		columns: []column{{"MiB resident", "MiB-VmRSS", 1}, {"MiB at most", "MiB-VmHWM", 1}, {"ms of CPU per round", "cpu-ms/round", 1}, {"TLS handshakes per round", "handshakes/round", 2},
			{"ms of CPU per minute", "cpu-ms/minute", 1}, {"of who asks", "of-asking", 2}},
		rows: []row{
			{"asks, the head tells nothing", "", "footprint", "BenchmarkFootprint/asking"},
			{"is told, nothing changes", "", "footprint", "BenchmarkFootprint/told"},
		},
		plots: []plot{{"footprint.svg", "comet-guest in a slice of 1,000 VMs", "memory in MiB", []series{{"MiB-VmRSS", "%s"}, {"MiB-VmHWM", "the same, at most"}}, 0}},
	},
}

// commandTable has the row of an existing client.
var commandTable = table{
	name: "command", title: "One read, a command each", added: true,
	rowsAre: "command",
	columns: []column{{"ms", "ms", 0}, {"ms, cometctl read", "ms-cometctl", 0}, {"times as long", "x-cometctl", 1}},
	rows:    []row{{"the client of -client", "", "command", "BenchmarkCommand"}},
}
