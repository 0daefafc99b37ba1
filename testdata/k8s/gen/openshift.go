package main

import (
	"strings"

	apps "github.com/openshift/api/apps/v1"
	authorization "github.com/openshift/api/authorization/v1"
	build "github.com/openshift/api/build/v1"
	image "github.com/openshift/api/image/v1"
	network "github.com/openshift/api/network/v1"
	oauth "github.com/openshift/api/oauth/v1"
	project "github.com/openshift/api/project/v1"
	quota "github.com/openshift/api/quota/v1"
	route "github.com/openshift/api/route/v1"
	security "github.com/openshift/api/security/v1"
	template "github.com/openshift/api/template/v1"
	user "github.com/openshift/api/user/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// openshift adds the types that the API server of OpenShift stores as protobuf. Objects that OpenShift 3 stored in the
// core group have the same bytes after their envelope.
var openshift = []func(*runtime.Scheme) error{
	apps.AddToScheme,
	authorization.AddToScheme,
	build.AddToScheme,
	image.AddToScheme,
	network.AddToScheme,
	oauth.AddToScheme,
	project.AddToScheme,
	quota.AddToScheme,
	route.AddToScheme,
	security.AddToScheme,
	template.AddToScheme,
	user.AddToScheme,
}

// storedByOpenshift lists the kinds that its API server stores.
func storedByOpenshift() []schema.GroupVersionKind {
	names := map[string]bool{}
	for _, name := range strings.Fields(`BrokerTemplateInstance Build BuildConfig ClusterNetwork ClusterResourceQuota ClusterRole ClusterRoleBinding DeploymentConfig EgressNetworkPolicy Group HostSubnet Identity Image ImageStream NetNamespace OAuthAccessToken OAuthAuthorizeToken OAuthClient OAuthClientAuthorization RangeAllocation Role RoleBinding RoleBindingRestriction Route SecurityContextConstraints Template TemplateInstance User`) {
		names[name] = true
	}
	var list []schema.GroupVersionKind
	for _, gvk := range stored("github.com/openshift/api/") {
		if names[gvk.Kind] {
			list = append(list, gvk)
		}
	}
	return list
}
