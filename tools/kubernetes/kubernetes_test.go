package kubernetes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const manifests = "../../installers/kubernetes"

// grace is held against the collectors' configuration by installers/kubernetes.
const grace = 40

// each builds the base and the example.
func each(t *testing.T, test func(t *testing.T, all Objects)) {
	t.Helper()
	for _, folder := range []string{"base", "example"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			all, err := Build(filepath.Join(manifests, folder))
			if err != nil {
				t.Fatal(err)
			}
			test(t, all)
		})
	}
}

func TestEachPodIsLockedDown(t *testing.T) {
	each(t, func(t *testing.T, all Objects) {
		if len(all.Deployments) != 2 {
			t.Fatalf("%d deployments, want intake and work", len(all.Deployments))
		}
		for _, d := range all.Deployments {
			pod := d.Spec.Template.Spec
			is := func(what string, holds bool) {
				t.Helper()
				if !holds {
					t.Errorf("%s: %s", d.Name, what)
				}
			}
			yes := func(b *bool) bool { return b != nil && *b }
			no := func(b *bool) bool { return b != nil && !*b }
			context := pod.SecurityContext
			is("may run as root", context != nil && yes(context.RunAsNonRoot) && context.RunAsUser != nil && *context.RunAsUser > 0)
			is("has no seccomp profile", context != nil && context.SeccompProfile != nil && context.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault)
			is("may speak to the cluster", no(pod.AutomountServiceAccountToken) && len(all.Accounts) == 1 && pod.ServiceAccountName == all.Accounts[0].Name)
			is("is not given time to stop", pod.TerminationGracePeriodSeconds != nil && *pod.TerminationGracePeriodSeconds == grace)
			is("shares something of its host", !pod.HostNetwork && !pod.HostPID && !pod.HostIPC)
			if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
				t.Fatalf("%s: %d containers", d.Name, len(pod.Containers))
			}
			c := pod.Containers[0]
			is("may write to its image", c.SecurityContext != nil && yes(c.SecurityContext.ReadOnlyRootFilesystem))
			is("may gain rights", c.SecurityContext != nil && no(c.SecurityContext.AllowPrivilegeEscalation))
			is("has capabilities", c.SecurityContext != nil && c.SecurityContext.Capabilities != nil && slices.Equal(c.SecurityContext.Capabilities.Drop, []core.Capability{"ALL"}))
			is("has no bounds", !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero() && !c.Resources.Limits.Memory().IsZero())
			for _, v := range pod.Volumes {
				is("mounts a folder of its host", v.HostPath == nil)
			}
		}
	})
}

func TestEachPodIsAskedWhetherItIsWellAtAPortThatItHas(t *testing.T) {
	each(t, func(t *testing.T, all Objects) {
		for _, d := range all.Deployments {
			c := d.Spec.Template.Spec.Containers[0]
			for path, probe := range map[string]*core.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
				switch {
				case probe == nil || probe.HTTPGet == nil:
					t.Errorf("%s is not asked for %s", d.Name, path)
				case probe.HTTPGet.Path != path || !slices.ContainsFunc(c.Ports, func(p core.ContainerPort) bool {
					return p.Name == probe.HTTPGet.Port.StrVal && p.ContainerPort == 7420
				}):
					t.Errorf("%s is asked for %s at %s", d.Name, probe.HTTPGet.Path, probe.HTTPGet.Port.String())
				}
			}
			if c.StartupProbe == nil {
				t.Errorf("%s is ended while it migrates the database", d.Name)
			}
		}
	})
}

func TestEachRoleRunsAndOnlyIntakeHasTheAuthority(t *testing.T) {
	each(t, func(t *testing.T, all Objects) {
		roles := map[string]bool{}
		for _, d := range all.Deployments {
			pod := d.Spec.Template.Spec
			role := pod.Containers[0].Args[len(pod.Containers[0].Args)-1]
			roles[role] = true
			authority, config := false, false
			for _, v := range pod.Volumes {
				authority = authority || v.Secret != nil && v.Secret.SecretName == "tillbook-authority"
				config = config || v.ConfigMap != nil && slices.ContainsFunc(all.Configs, func(c core.ConfigMap) bool { return c.Name == v.ConfigMap.Name })
			}
			if authority != (role == "intake") {
				t.Errorf("%s has the authority: %t", role, authority)
			}
			if !config {
				t.Errorf("%s has no configuration that is there", role)
			}
			for _, mount := range pod.Containers[0].VolumeMounts {
				if !slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == mount.Name }) {
					t.Errorf("%s mounts %s, which there is not", role, mount.Name)
				}
			}
			for _, e := range pod.Containers[0].Env {
				if e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
					t.Errorf("%s has %s by value", role, e.Name)
				}
			}
		}
		if !roles["intake"] || !roles["work"] || len(roles) != 2 {
			t.Errorf("roles are %v", roles)
		}
	})
}

func TestBudgetsServicesAndPoliciesMeetTheirPods(t *testing.T) {
	each(t, func(t *testing.T, all Objects) {
		selected := func(name string, selector *meta.LabelSelector) (pods []string) {
			t.Helper()
			s, err := meta.LabelSelectorAsSelector(selector)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, d := range all.Deployments {
				if s.Matches(labels.Set(d.Spec.Template.Labels)) {
					pods = append(pods, strings.TrimPrefix(d.Name, "tillbook-"))
				}
			}
			return pods
		}
		for _, d := range all.Deployments {
			if pods := selected(d.Name, d.Spec.Selector); len(pods) != 1 || "tillbook-"+pods[0] != d.Name {
				t.Errorf("%s selects %q", d.Name, pods)
			}
			covered := 0
			for _, b := range all.Budgets {
				if slices.Contains(selected(b.Name, b.Spec.Selector), strings.TrimPrefix(d.Name, "tillbook-")) {
					covered++
					if b.Spec.MinAvailable.IntVal < 1 || b.Spec.MinAvailable.IntVal >= *d.Spec.Replicas {
						t.Errorf("%s lets no node be emptied, or all pods go: %s of %d", b.Name, b.Spec.MinAvailable.String(), *d.Spec.Replicas)
					}
				}
			}
			if covered != 1 {
				t.Errorf("%s is covered by %d budgets", d.Name, covered)
			}
		}
		for _, s := range all.Services {
			if pods := selected(s.Name, &meta.LabelSelector{MatchLabels: s.Spec.Selector}); !slices.Equal(pods, []string{"intake"}) {
				t.Errorf("service %s leads to %q", s.Name, pods)
			}
		}
		open := map[string][]int32{} // what each role may be reached at from anywhere
		for _, p := range all.Policies {
			for _, role := range selected(p.Name, &p.Spec.PodSelector) {
				for _, rule := range p.Spec.Ingress {
					for _, port := range rule.Ports {
						if len(rule.From) == 0 {
							open[role] = append(open[role], port.Port.IntVal)
						}
					}
				}
			}
		}
		if len(all.Policies) == 0 || !slices.Equal(open["intake"], []int32{7443}) || len(open["work"]) != 0 {
			t.Errorf("open to all are %v, want agents' port of intake", open)
		}
	})
}

func TestAFieldThatNoSuchObjectHasIsAnError(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(manifests, "base"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "work.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for was, is := range map[string]string{
		"readOnlyRootFilesystem": "readOnlyRootFileSystem", "replicas:": "replica:", "kind: PodDisruptionBudget": "kind: Secret",
	} {
		if !strings.Contains(string(text), was) {
			t.Fatalf("work.yaml has no %q", was)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), was, is)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Build(folder); err == nil {
			t.Errorf("%s was taken for %s", is, was)
		}
	}
}
