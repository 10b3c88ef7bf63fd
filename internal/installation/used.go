package installation

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Used is what a program has used of its machine, for benchmarks on Linux.
type Used struct {
	Processor float64 // seconds, since it started
	Resident  float64 // bytes, now
}

// Used returns what the program over a data folder has used.
func (i *Installation) Used(data string) (Used, error) {
	var used Used
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.Pid(data)))
	if err != nil {
		return used, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return used, fmt.Errorf("%s: no times in %q", data, stat)
	}
	for _, field := range fields[11:13] { // utime, stime
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return used, err
		}
		used.Processor += ticks / 100
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.Pid(data)))
	if err != nil {
		return used, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			used.Resident = kib * 1024
			return used, err
		}
	}
	return used, fmt.Errorf("%s: no VmRSS", data)
}
