// Package monitoring is what people watch collectors with: alert rules for
// Prometheus (alerts.yaml) and a dashboard for Grafana (dashboard.json). It holds
// no code; its tests show that each rule fires when it should and not otherwise,
// that each has a runbook in docs/alerts.md, and that a real collector gives every
// figure that rules and dashboard ask for.
package monitoring
