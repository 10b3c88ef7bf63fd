// Package kubernetes has manifests of collectors on a cluster: a base for
// Kustomize, a component for accounting systems in the cloud, and an overlay as an
// example. It holds no code. The manifests are built and read as a cluster would by
// the tests of tools/kubernetes; those here read the collectors' configuration.
package kubernetes
