package main

import (
	"fmt"
	"time"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authorization "k8s.io/api/authorization/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	resourcev1 "k8s.io/api/resource/v1"
	ext1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ext1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

var documents = []string{
	`{"b":1,"a":[true,null,{"x":"y"}],"a10":{},"a2":-3}`, `{}`, `[]`, `"text"`, `1`,
	`{"f:spec":{"f:x":{},".":{},"k:{\"name\":\"a\"}":{}}}`,
}

// fillers fills the types whose random bytes would not be a value that an API server stores.
func fillers() []interface{} {
	document := func(c randfill.Continue) []byte { return []byte(documents[c.Intn(len(documents))]) }
	return []interface{}{
		func(t *meta.Time, c randfill.Continue) {
			if *t = (meta.Time{}); c.Intn(5) > 0 {
				*t = meta.Unix(c.Int63n(8_000_000_000)-2_000_000_000, 0)
			}
		},
		func(t *meta.MicroTime, c randfill.Continue) {
			if *t = (meta.MicroTime{}); c.Intn(5) > 0 {
				*t = meta.NewMicroTime(time.Unix(c.Int63n(4_000_000_000), c.Int63n(1_000_000)*1000))
			}
		},
		func(d *meta.Duration, c randfill.Continue) { d.Duration = time.Duration(c.Int63() >> uint(c.Intn(60))) },
		func(q *resource.Quantity, c randfill.Continue) {
			units := []string{"", "m", "k", "M", "Ki", "Mi", "e3"}
			parsed := resource.MustParse(fmt.Sprint(c.Int63n(100_000)) + units[c.Intn(len(units))])
			*q = resource.MustParse(parsed.String()) // stored in canonical form
			_ = q.String()
		},
		func(i *intstr.IntOrString, c randfill.Continue) {
			if *i = intstr.FromString(c.String(0)); c.Bool() {
				*i = intstr.FromInt32(c.Int31() - 1<<30)
			}
		},
		func(r *runtime.RawExtension, c randfill.Continue) { r.Raw = document(c) },
		func(r *meta.FieldsV1, c randfill.Continue) { r.Raw = document(c) },
		func(j *ext1.JSON, c randfill.Continue) { j.Raw = document(c) },
		func(j *ext1beta1.JSON, c randfill.Continue) { j.Raw = document(c) },
		func(j *ext1.JSONSchemaPropsOrBool, c randfill.Continue) {
			if j.Allows = c.Bool(); c.Intn(3) == 0 {
				j.Allows, j.Schema = true, &ext1.JSONSchemaProps{Type: c.String(0)}
			}
		},
		func(j *ext1.JSONSchemaPropsOrArray, c randfill.Continue) {
			if c.Bool() {
				j.Schema = &ext1.JSONSchemaProps{Type: c.String(0)}
			} else {
				j.JSONSchemas = []ext1.JSONSchemaProps{{ID: c.String(0)}, {}}
			}
		},
		func(j *ext1.JSONSchemaPropsOrStringArray, c randfill.Continue) {
			if c.Bool() {
				j.Schema = &ext1.JSONSchemaProps{Type: c.String(0)}
			} else {
				j.Property = []string{c.String(0), "x"}
			}
		},
		func(j *ext1.JSONSchemaProps, c randfill.Continue) {
			c.FillNoCustom(j)
			j.Properties, j.PatternProperties, j.Definitions = nil, nil, nil
			j.AllOf, j.AnyOf, j.OneOf, j.Not = nil, nil, nil, nil
			if c.Bool() {
				j.Properties = map[string]ext1.JSONSchemaProps{"p2": {Type: "string"}, "p10": {}}
			}
		},
		func(j *ext1beta1.JSONSchemaProps, c randfill.Continue) { j.Type, j.ID = c.String(0), "x" },
	}
}

func typeMeta(version, kind string) meta.TypeMeta {
	return meta.TypeMeta{APIVersion: version, Kind: kind}
}

func pointer[T any](v T) *T { return &v }

// special makes one object for each rule that random ones might miss.
func special() []runtime.Object {
	when := meta.Unix(1767323045, 0)
	named := func(name string) meta.ObjectMeta {
		return meta.ObjectMeta{Name: name, Namespace: "shop", UID: "0a1b", CreationTimestamp: when, Labels: map[string]string{"a10": "1", "a2": "2", "b": "<&>"},
			ManagedFields: []meta.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Update", APIVersion: "v1", Time: &when, FieldsType: "FieldsV1",
				FieldsV1: &meta.FieldsV1{Raw: []byte(documents[5])}, Subresource: "status"}}}
	}
	return []runtime.Object{
		// R4, inlined structs; R6, quantities and times; maps of quantities; null containers.
		&core.Pod{TypeMeta: typeMeta("v1", "Pod"), ObjectMeta: named("web-1"), Spec: core.PodSpec{
			Volumes: []core.Volume{{Name: "v", VolumeSource: core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{LocalObjectReference: core.LocalObjectReference{Name: "cm"}}}}, {Name: "none"}},
			Containers: []core.Container{{Name: "c", Resources: core.ResourceRequirements{Limits: core.ResourceList{"memory": resource.MustParse("64Mi"), "cpu": resource.MustParse("1500m")}},
				LivenessProbe: &core.Probe{ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Port: intstr.FromString("http")}}}}},
			EphemeralContainers: []core.EphemeralContainer{{EphemeralContainerCommon: core.EphemeralContainerCommon{Name: "dbg"}, TargetContainerName: "c"}},
			Tolerations:         []core.Toleration{{TolerationSeconds: pointer(int64(-9223372036854775808))}}}},
		&core.Pod{TypeMeta: typeMeta("v1", "Pod")},
		&core.Service{TypeMeta: typeMeta("v1", "Service"), ObjectMeta: named("s"), Spec: core.ServiceSpec{Ports: []core.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(-1)}}}},
		// R5, bytes: absent, empty, binary; the order of map keys.
		&core.Secret{TypeMeta: typeMeta("v1", "Secret"), ObjectMeta: named("s"), Data: map[string][]byte{"k10": {0xff, 0}, "k2": {}, "A": []byte("text")}},
		&core.ConfigMap{TypeMeta: typeMeta("v1", "ConfigMap"), ObjectMeta: named("c"), Immutable: pointer(false), Data: map[string]string{"script": "#!/bin/sh\n\techo \"\u2028\u2029\" \x01\n", "": "empty key"}},
		// What an API server stores for itself.
		&core.RangeAllocation{TypeMeta: typeMeta("v1", "RangeAllocation"), Range: "30000-32767"},
		// A pointer without omitempty, pod template with a zero creationTimestamp, always-present structs.
		&apps.Deployment{TypeMeta: typeMeta("apps/v1", "Deployment"), ObjectMeta: named("d"), Spec: apps.DeploymentSpec{Strategy: apps.DeploymentStrategy{RollingUpdate: &apps.RollingUpdateDeployment{MaxSurge: pointer(intstr.FromString("25%"))}}}},
		// MicroTime.
		&coordination.Lease{TypeMeta: typeMeta("coordination.k8s.io/v1", "Lease"), ObjectMeta: named("l"), Spec: coordination.LeaseSpec{RenewTime: pointer(meta.NewMicroTime(time.Unix(1767323045, 7000))), AcquireTime: &meta.MicroTime{}}},
		// Wrapper lists: ExtraValue, empty and not.
		&authorization.SubjectAccessReview{TypeMeta: typeMeta("authorization.k8s.io/v1", "SubjectAccessReview"), Spec: authorization.SubjectAccessReviewSpec{Extra: map[string]authorization.ExtraValue{"a": {"x", "y"}, "b": {}}}},
		// Inlined twice over.
		&admissionregistration.ValidatingAdmissionPolicy{TypeMeta: typeMeta("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"), Spec: admissionregistration.ValidatingAdmissionPolicySpec{MatchConstraints: &admissionregistration.MatchResources{ResourceRules: []admissionregistration.NamedRuleWithOperations{{
			ResourceNames: []string{"n"}, RuleWithOperations: admissionregistration.RuleWithOperations{Operations: []admissionregistration.OperationType{"*"}, Rule: admissionregistration.Rule{APIGroups: []string{""}, Resources: []string{"pods"}}}}}},
			Variables: []admissionregistration.Variable{{Name: "v", Expression: "1 < 2"}}}},
		&networking.Ingress{TypeMeta: typeMeta("networking.k8s.io/v1", "Ingress"), ObjectMeta: named("i"), Spec: networking.IngressSpec{Rules: []networking.IngressRule{{Host: "h", IngressRuleValue: networking.IngressRuleValue{HTTP: &networking.HTTPIngressRuleValue{}}}}}},
		// RawExtension with JSON, and with numbers that Go copies as they are.
		&apps.ControllerRevision{TypeMeta: typeMeta("apps/v1", "ControllerRevision"), ObjectMeta: named("r"), Revision: 3, Data: runtime.RawExtension{Raw: []byte(`{"spec":{"b":"x","a":[0,-1,18446744073709551615]}}`)}},
		&resourcev1.ResourceClaim{TypeMeta: typeMeta("resource.k8s.io/v1", "ResourceClaim"), ObjectMeta: named("g"), Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Config: []resourcev1.DeviceClaimConfiguration{{Requests: []string{"r"}, DeviceConfiguration: resourcev1.DeviceConfiguration{Opaque: &resourcev1.OpaqueDeviceConfiguration{Driver: "d", Parameters: runtime.RawExtension{Raw: []byte(`{}`)}}}}}}}},
		// Schemas: unions with bool, list and texts; names that begin with a dollar; floats.
		&ext1.CustomResourceDefinition{TypeMeta: typeMeta("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ObjectMeta: named("crd"), Spec: ext1.CustomResourceDefinitionSpec{Versions: []ext1.CustomResourceDefinitionVersion{{Name: "v1", Schema: &ext1.CustomResourceValidation{OpenAPIV3Schema: &ext1.JSONSchemaProps{
			Ref: pointer("#/x"), Schema: "s", Default: &ext1.JSON{Raw: []byte(`{"z":1,"a":null}`)}, Minimum: pointer(1e-7), Maximum: pointer(1e21), MultipleOf: pointer(0.1), MaxLength: pointer(int64(0)),
			Items: &ext1.JSONSchemaPropsOrArray{JSONSchemas: []ext1.JSONSchemaProps{{Type: "string"}}}, AdditionalProperties: &ext1.JSONSchemaPropsOrBool{Allows: true}, AdditionalItems: &ext1.JSONSchemaPropsOrBool{},
			Dependencies: ext1.JSONSchemaDependencies{"d": {Property: []string{"p"}}, "e": {Schema: &ext1.JSONSchemaProps{ID: "i"}}}, Enum: []ext1.JSON{{Raw: []byte(`"a"`)}, {}},
			Properties: map[string]ext1.JSONSchemaProps{"p": {XPreserveUnknownFields: pointer(true), XIntOrString: true}}}}}}}},
	}
}
