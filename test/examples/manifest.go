package examples

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// A manifest is what a file asks of Kubernetes, by kind.
type manifest struct {
	namespaces  map[string]*corev1.Namespace
	configMaps  map[string]*corev1.ConfigMap
	secrets     map[string]*corev1.Secret
	services    map[string]*corev1.Service
	deployments map[string]*appsv1.Deployment
	budgets     map[string]*policyv1.PodDisruptionBudget
}

// CheckManifest says what is wrong with a manifest of Kubernetes. The documents
// are decoded as the API server does it in strict mode; a kind that is not
// known here is an error.
func CheckManifest(text []byte, s Settings) Findings {
	m, out := readManifest(text)
	if len(out) > 0 {
		return out
	}
	for name, service := range m.services {
		out = append(out, m.checkService(name, service)...)
	}
	for name, budget := range m.budgets {
		out = append(out, m.checkBudget(name, budget)...)
	}
	for name, deployment := range m.deployments {
		out = append(out, m.checkDeployment(name, deployment)...)
		out = append(out, m.checkPod("Deployment "+name, deployment.Spec.Template.Spec, s)...)
	}
	slices.Sort(out)
	return out
}

func readManifest(text []byte) (m manifest, out Findings) {
	decode, err := decoder()
	if err != nil {
		return m, Findings{err.Error()}
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return m, append(out, m.checkNamespace()...)
		}
		object, kind, err := decode.Decode(document, nil, nil)
		if err != nil {
			out.unless(false, "document %d: %v", n, err)
			continue
		}
		out = append(out, m.add(kind.Kind, object)...)
	}
}

func decoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme), policyv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), err
}

func (m *manifest) add(kind string, object runtime.Object) Findings {
	var fresh bool
	switch o := object.(type) {
	case *corev1.Namespace:
		fresh = put(&m.namespaces, o.Name, o)
	case *corev1.ConfigMap:
		fresh = put(&m.configMaps, o.Name, o)
	case *corev1.Secret:
		fresh = put(&m.secrets, o.Name, o)
	case *corev1.Service:
		fresh = put(&m.services, o.Name, o)
	case *appsv1.Deployment:
		fresh = put(&m.deployments, o.Name, o)
	case *policyv1.PodDisruptionBudget:
		fresh = put(&m.budgets, o.Name, o)
	default:
		return Findings{"nothing here checks a " + kind}
	}
	out := checkMeta(kind, object)
	out.unless(fresh, "%s: there are two of this name", kind)
	return out
}

func put[T any](all *map[string]T, name string, one T) (fresh bool) {
	if *all == nil {
		*all = map[string]T{}
	}
	_, has := (*all)[name]
	(*all)[name] = one
	return !has
}

func checkMeta(kind string, object runtime.Object) (out Findings) {
	o, err := meta.Accessor(object)
	if err != nil {
		return Findings{err.Error()}
	}
	for _, reason := range validation.IsDNS1123Label(o.GetName()) {
		out.unless(false, "%s %q: its name: %s", kind, o.GetName(), reason)
	}
	for _, err := range metavalidation.ValidateLabels(o.GetLabels(), field.NewPath("labels")) {
		out.unless(false, "%s %s: %v", kind, o.GetName(), err)
	}
	return out
}

// checkNamespace wants one namespace, and everything in it.
func (m *manifest) checkNamespace() (out Findings) {
	out.unless(len(m.namespaces) == 1, "there are %d namespaces, not one", len(m.namespaces))
	in := func(o metav1.Object) {
		_, ok := m.namespaces[o.GetNamespace()]
		out.unless(ok, "%s %s: its namespace %q is not in the file", reflect.TypeOf(o).Elem().Name(), o.GetName(), o.GetNamespace())
	}
	each(m.configMaps, in)
	each(m.secrets, in)
	each(m.services, in)
	each(m.deployments, in)
	each(m.budgets, in)
	return out
}

func each[T metav1.Object](all map[string]T, fn func(metav1.Object)) {
	for _, one := range all {
		fn(one)
	}
}

// selected returns the deployments whose pods the selector selects.
func (m *manifest) selected(selector labels.Selector) (out []*appsv1.Deployment) {
	for _, d := range m.deployments {
		if selector.Matches(labels.Set(d.Spec.Template.Labels)) {
			out = append(out, d)
		}
	}
	return out
}

// only returns the one deployment that a label selector selects.
func (m *manifest) only(selector *metav1.LabelSelector) (*appsv1.Deployment, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	if found := m.selected(s); len(found) == 1 {
		return found[0], nil
	}
	return nil, fmt.Errorf("its selector selects the pods of %d deployments, not of one", len(m.selected(s)))
}

func (m *manifest) checkService(name string, service *corev1.Service) (out Findings) {
	found := m.selected(labels.SelectorFromSet(service.Spec.Selector))
	out.unless(len(service.Spec.Selector) > 0 && len(found) == 1, "Service %s: its selector selects the pods of %d deployments, not of one", name, len(found))
	for _, d := range found {
		for _, p := range service.Spec.Ports {
			out.unless(hasPort(d.Spec.Template.Spec.Containers, p.TargetPort), "Service %s: Deployment %s has no port %s", name, d.Name, p.TargetPort.String())
		}
	}
	return out
}

// hasPort reports whether one of the containers declares the port, by the name
// or the number that is given.
func hasPort(containers []corev1.Container, want intstr.IntOrString) bool {
	for _, c := range containers {
		for _, p := range c.Ports {
			if want.Type == intstr.String && p.Name == want.StrVal || want.Type == intstr.Int && p.ContainerPort == want.IntVal {
				return true
			}
		}
	}
	return false
}

// checkBudget wants a budget under which a machine can be emptied.
func (m *manifest) checkBudget(name string, budget *policyv1.PodDisruptionBudget) (out Findings) {
	d, err := m.only(budget.Spec.Selector)
	if err != nil {
		return Findings{fmt.Sprintf("PodDisruptionBudget %s: %v", name, err)}
	}
	least, most := budget.Spec.MinAvailable, budget.Spec.MaxUnavailable
	out.unless((least == nil) != (most == nil), "PodDisruptionBudget %s: it needs one of minAvailable and maxUnavailable", name)
	out.unless(least == nil || least.IntValue() < replicas(d), "PodDisruptionBudget %s: no pod may ever go", name)
	out.unless(most == nil || most.IntValue() > 0, "PodDisruptionBudget %s: no pod may ever go", name)
	return out
}

func replicas(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

func (m *manifest) checkDeployment(name string, d *appsv1.Deployment) (out Findings) {
	own, err := m.only(d.Spec.Selector)
	switch {
	case err != nil:
		out.unless(false, "Deployment %s: %v", name, err)
	case own != d:
		out.unless(false, "Deployment %s: its selector selects the pods of %s", name, own.Name)
	}
	for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
		spread, err := m.only(c.LabelSelector)
		out.unless(err == nil && spread == d, "Deployment %s: it spreads other pods than its own", name)
	}
	return out
}
