package scripts

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kill ends a script and all that it has started: first by a signal that it may heed, then by one that it cannot ignore. The wrapper heeds
// the first one; that it is gone says nothing of the others.
func (k keeper) kill(r record, leader int) {
	const often = 50 * time.Millisecond
	left := members(r, leader)
	send(left, syscall.SIGTERM)
	for deadline := time.Now().Add(k.Grace); len(left) > 0 && time.Now().Before(deadline); left = members(r, leader) {
		time.Sleep(often)
	}
	for deadline := time.Now().Add(k.Grace); len(left) > 0 && time.Now().Before(deadline); left = members(r, leader) {
		send(left, syscall.SIGKILL)
		time.Sleep(often)
	}
	if len(left) > 0 {
		k.machine.Log.Warn("a script could not be ended", slog.String("script", r.Name), slog.Any("processes", left))
	}
}

func send(pids []int, signal syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, signal) // what is left is looked for
	}
}

// members finds the processes of a script: those of its unit, and of the session that its wrapper leads or has led.
func members(r record, leader int) (pids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		p := look(folder)
		if p.alive() && (leader != 0 && p.session == leader || p.within(r.Unit)) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// process is what the kernel tells of one; see proc_pid_stat(5).
type process struct {
	folder       string
	pid, session int
	state        string
}

func look(folder string) (p process) {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return p
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // state, parent, group, session
	if len(fields) > 3 {
		p.folder, p.state = folder, fields[0]
		p.pid, _ = strconv.Atoi(filepath.Base(folder))
		p.session, _ = strconv.Atoi(fields[3])
	}
	return p
}

// alive reports whether it is still there, and not only its exit status.
func (p process) alive() bool { return p.pid != 0 && p.state != "Z" && p.state != "X" }

// leads reports whether it leads its session, as no child of it does.
func (p process) leads() bool { return p.pid != 0 && p.session == p.pid }

// within reports whether it belongs to a unit of systemd, by the name of its control group.
func (p process) within(unit string) bool {
	if unit == "" {
		return false
	}
	groups, err := os.ReadFile(filepath.Join(p.folder, "cgroup"))
	return err == nil && strings.Contains(string(groups), "/"+unit)
}
