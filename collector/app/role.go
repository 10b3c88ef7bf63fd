package app

import (
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/suggest"
)

// Roles say what one process of a collector does. Those of one database may be
// spread over any number of processes, each in any of them.
type Roles struct {
	Intake bool // listens for agents, takes sessions from the broker, gives certificates
	Work   bool // closes, posts, audits and watches days
	Web    bool // what people see; by now that is metrics and health, which each process has
}

// everything is the role of a process that does all of it.
const everything = "all"

// ParseRoles reads "all", or one or more of intake, work and web, with commas
// between them.
func ParseRoles(text string) (Roles, error) {
	var r Roles
	known := map[string]*bool{"intake": &r.Intake, "work": &r.Work, "web": &r.Web}
	names := []string{everything, "intake", "work", "web"}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		switch on := known[name]; {
		case name == everything:
			r = Roles{Intake: true, Work: true, Web: true}
		case on != nil:
			*on = true
		default:
			return Roles{}, fmt.Errorf("%q is not one of %s%s", name, strings.Join(names, ", "), suggest.DidYouMean(name, names))
		}
	}
	return r, nil
}

// String names the roles as ParseRoles reads them.
func (r Roles) String() string {
	var names []string
	for name, on := range map[string]bool{"intake": r.Intake, "work": r.Work, "web": r.Web} {
		if on {
			names = append(names, name)
		}
	}
	if len(names) == 3 {
		return everything
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}
