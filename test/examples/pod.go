package examples

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (m *manifest) checkPod(where string, pod corev1.PodSpec, s Settings) (out Findings) {
	out = append(out, checkPodSecurity(where, pod)...)
	files, more := m.files(where, pod)
	out = append(out, more...)
	for _, c := range pod.Containers {
		at := where + ", container " + c.Name
		env, more := m.environment(at, c)
		out = append(out, more...)
		out = append(out, checkContainer(at, c)...)
		out = append(out, s.check(process{where: at, args: c.Args, env: env, files: mounted(c, files), grace: grace(pod, c)})...)
		out = append(out, checkListen(at, c, env["ROTA_LISTEN"])...)
	}
	return out
}

// grace returns how long the container has from SIGTERM to SIGKILL.
func grace(pod corev1.PodSpec, c corev1.Container) time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if pod.TerminationGracePeriodSeconds != nil {
		seconds = *pod.TerminationGracePeriodSeconds
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep != nil {
		seconds -= c.Lifecycle.PreStop.Sleep.Seconds
	}
	return time.Duration(seconds) * time.Second
}

// checkPodSecurity wants what the pod security standard "restricted" wants.
func checkPodSecurity(where string, pod corev1.PodSpec) (out Findings) {
	c := pod.SecurityContext
	if c == nil {
		return Findings{where + ": it has no securityContext"}
	}
	out.unless(isTrue(c.RunAsNonRoot) && c.RunAsUser != nil && *c.RunAsUser > 0, "%s: it may run as root", where)
	out.unless(c.SeccompProfile != nil && c.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "%s: it has no seccomp profile", where)
	out.unless(isFalse(pod.AutomountServiceAccountToken), "%s: it gets a token of the cluster", where)
	out.unless(isFalse(pod.EnableServiceLinks), "%s: services become variables that begin with ROTA_", where)
	out.unless(!pod.HostNetwork && !pod.HostPID && !pod.HostIPC, "%s: it shares the host's namespaces", where)
	return out
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

// files returns the content of the pod's volumes that hold ConfigMaps, by the
// volume and the file's name.
func (m *manifest) files(where string, pod corev1.PodSpec) (files map[string]map[string]string, out Findings) {
	files = map[string]map[string]string{}
	for _, v := range pod.Volumes {
		if v.ConfigMap == nil {
			out.unless(v.EmptyDir != nil, "%s: volume %s: nothing here checks its kind", where, v.Name)
			files[v.Name] = nil
			continue
		}
		c, ok := m.configMaps[v.ConfigMap.Name]
		out.unless(ok, "%s: volume %s: there is no ConfigMap %s", where, v.Name, v.ConfigMap.Name)
		if ok {
			files[v.Name] = c.Data
		}
	}
	for _, c := range pod.Containers {
		for _, mount := range c.VolumeMounts {
			_, ok := files[mount.Name]
			out.unless(ok, "%s, container %s: there is no volume %s", where, c.Name, mount.Name)
		}
	}
	return files, out
}

// mounted returns the files that a container sees, by path.
func mounted(c corev1.Container, files map[string]map[string]string) map[string]string {
	out := map[string]string{}
	for _, mount := range c.VolumeMounts {
		for name, text := range files[mount.Name] {
			out[path.Join(mount.MountPath, name)] = text
		}
	}
	return out
}

// environment returns the variables of a container. Those from a Secret are
// empty.
func (m *manifest) environment(where string, c corev1.Container) (env map[string]string, out Findings) {
	env = map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			out.unless(false, "%s: envFrom takes ConfigMaps only", where)
			continue
		}
		all, ok := m.configMaps[from.ConfigMapRef.Name]
		out.unless(ok, "%s: there is no ConfigMap %s", where, from.ConfigMapRef.Name)
		if ok {
			for name, value := range all.Data {
				env[from.Prefix+name] = value
			}
		}
	}
	for _, e := range c.Env {
		value, err := m.value(e)
		out.unless(err == nil, "%s: %s: %v", where, e.Name, err)
		env[e.Name] = value
	}
	return env, out
}

func (m *manifest) value(e corev1.EnvVar) (string, error) {
	from := e.ValueFrom
	switch {
	case from == nil:
		return e.Value, nil
	case from.SecretKeyRef != nil:
		secret, ok := m.secrets[from.SecretKeyRef.Name]
		if !ok {
			return "", fmt.Errorf("there is no Secret %s", from.SecretKeyRef.Name)
		}
		if _, ok := secret.StringData[from.SecretKeyRef.Key]; !ok {
			return "", fmt.Errorf("the Secret %s has no key %s", from.SecretKeyRef.Name, from.SecretKeyRef.Key)
		}
		return "", nil
	case from.ConfigMapKeyRef != nil:
		c, ok := m.configMaps[from.ConfigMapKeyRef.Name]
		if !ok {
			return "", fmt.Errorf("there is no ConfigMap %s", from.ConfigMapKeyRef.Name)
		}
		value, ok := c.Data[from.ConfigMapKeyRef.Key]
		if !ok {
			return "", fmt.Errorf("the ConfigMap %s has no key %s", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
		}
		return value, nil
	}
	return "", fmt.Errorf("nothing here knows where it is from")
}

func checkContainer(where string, c corev1.Container) (out Findings) {
	out = append(out, checkImage(where, c.Image)...)
	out = append(out, checkProbe(where+", livenessProbe", c, c.LivenessProbe, "/healthz")...)
	out = append(out, checkProbe(where+", readinessProbe", c, c.ReadinessProbe, "/readyz")...)
	if c.StartupProbe != nil {
		out = append(out, checkProbe(where+", startupProbe", c, c.StartupProbe, "/healthz")...)
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		_, ok := c.Resources.Requests[name]
		out.unless(ok, "%s: it requests no %s", where, name)
	}
	_, ok := c.Resources.Limits[corev1.ResourceMemory]
	out.unless(ok, "%s: nothing limits its memory", where)
	return append(out, checkSecurity(where, c.SecurityContext)...)
}

// checkImage wants a version, or what stands for one.
func checkImage(where, image string) (out Findings) {
	_, tag, ok := strings.Cut(path.Base(image), ":")
	out.unless(ok && tag != "" && tag != "latest", "%s: image %q has no version", where, image)
	return out
}

func checkProbe(where string, c corev1.Container, probe *corev1.Probe, at string) (out Findings) {
	if probe == nil || probe.HTTPGet == nil {
		return Findings{where + ": it asks nothing"}
	}
	out.unless(probe.HTTPGet.Path == at, "%s: it asks %s, not %s", where, probe.HTTPGet.Path, at)
	out.unless(hasPort([]corev1.Container{c}, probe.HTTPGet.Port), "%s: there is no port %s", where, probe.HTTPGet.Port.String())
	return out
}

// checkListen wants the port that Rota listens on among those of the container.
func checkListen(where string, c corev1.Container, listen string) (out Findings) {
	port := intstr.Parse(listen[strings.LastIndex(listen, ":")+1:])
	out.unless(hasPort([]corev1.Container{c}, port), "%s: it listens on %q, which is not among its ports", where, listen)
	return out
}

func checkSecurity(where string, c *corev1.SecurityContext) (out Findings) {
	if c == nil {
		return Findings{where + ": it has no securityContext"}
	}
	out.unless(isFalse(c.AllowPrivilegeEscalation), "%s: it may gain privileges", where)
	out.unless(isTrue(c.ReadOnlyRootFilesystem), "%s: it may write to its image", where)
	out.unless(!isTrue(c.Privileged), "%s: it is privileged", where)
	out.unless(c.Capabilities != nil && slices.Contains(c.Capabilities.Drop, "ALL"), "%s: it keeps capabilities", where)
	return out
}
