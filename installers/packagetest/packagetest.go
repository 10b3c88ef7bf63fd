// Package packagetest installs the agent's packages for real: the deb under a
// systemd of its own in a container, the MSI under Wine, both against a real
// collector. It holds no product code; what it cannot prove (real Windows, its
// file system, its rights) is said in docs/install.md.
package packagetest
