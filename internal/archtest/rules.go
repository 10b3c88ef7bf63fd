package archtest

// rule is one rule of the house.
type rule struct {
	name  string
	check func(*tree) []problem
}

// rules are all of them. The two lists of exceptions take a path and a reason.
func rules() []rule {
	return []rule{
		{"agent, collector, shared and proto stay apart", sides},
		{"cmd imports cli imports app imports rooms", layers},
		{"pure rooms are pure", purity},
		{"no float where money is counted", noFloats},
		{"no package that has a better way here", libraries},
		{"each package has one comment of two sentences", comments},
		{"packages are named for what they are about", names},
		{"main.go is short", mains},
		{"long files have a reason", longFiles{}.check},
		{"nothing sleeps", sleepers{}.check},
		{"skipped tests give an accepted reason", skips},
		{"nothing is registered by init", inits},
		{"each dependency is accounted for", dependencies},
	}
}
