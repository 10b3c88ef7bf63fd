// Package kubernetes builds the manifests of installers/kubernetes with Kustomize's
// own library and reads each object as its type of the Kubernetes API: a field that
// no such object has is an error, as is a kind that is not expected.
//
// It does not speak to a cluster, and lives among the developer tools so that
// nothing of Kubernetes reaches the programs.
package kubernetes

import (
	"errors"
	"fmt"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Objects are what a folder builds, by kind.
type Objects struct {
	Accounts    []core.ServiceAccount
	Configs     []core.ConfigMap
	Services    []core.Service
	Deployments []apps.Deployment
	Budgets     []policy.PodDisruptionBudget
	Policies    []networking.NetworkPolicy
}

// Build builds a folder and reads what comes of it.
func Build(folder string) (Objects, error) {
	var all Objects
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return all, fmt.Errorf("build %s: %w", folder, err)
	}
	for _, resource := range built.Resources() {
		text, err := resource.MarshalJSON()
		if err == nil {
			err = all.add(resource.GetApiVersion()+" "+resource.GetKind(), text)
		}
		if err != nil {
			return all, fmt.Errorf("%s: %s %s: %w", folder, resource.GetKind(), resource.GetName(), err)
		}
	}
	return all, nil
}

func (o *Objects) add(kind string, text []byte) error {
	switch kind {
	case "v1 ServiceAccount":
		return read(&o.Accounts, text)
	case "v1 ConfigMap":
		return read(&o.Configs, text)
	case "v1 Service":
		return read(&o.Services, text)
	case "apps/v1 Deployment":
		return read(&o.Deployments, text)
	case "policy/v1 PodDisruptionBudget":
		return read(&o.Budgets, text)
	case "networking.k8s.io/v1 NetworkPolicy":
		return read(&o.Policies, text)
	}
	return fmt.Errorf("%s is not expected here", kind)
}

func read[T any](into *[]T, text []byte) error {
	var object T
	unknown, err := json.UnmarshalStrict(text, &object) // as the API server reads, case and all
	if err := errors.Join(append(unknown, err)...); err != nil {
		return err
	}
	*into = append(*into, object)
	return nil
}
