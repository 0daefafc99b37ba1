// Values encrypted by the API server's own transformers, as JSON lines; see ../README.md.
package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
	"k8s.io/client-go/kubernetes/scheme"
	kmsservice "k8s.io/kms/pkg/service"
)

type vector struct {
	Name      string   `json:"name"`
	Config    any      `json:"config,omitempty"`
	KMSKeys   [][]byte `json:"kms_keys_b64,omitempty"`
	EtcdKey   string   `json:"etcd_key"`
	Plain     []byte   `json:"plain_b64"`
	Value     []byte   `json:"value_b64"`
	CutOpens  []int    `json:"cut_opens"`
	FlipOpens []int    `json:"flip_opens"`
	// Whether the value opens under the key of another object.
	MovedOpens bool `json:"moved_opens"`
}

const etcdKey = "/registry/secrets/shop/db"

// derived gives n bytes that look random and are the same at every run.
func derived(name string, n int) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:n]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func block(key []byte) cipher.Block { return must(aes.NewCipher(key)) }

func config(provider string, keys ...[2]string) any {
	list := []any{}
	for _, key := range keys {
		list = append(list, map[string]string{"name": key[0], "secret": key[1]})
	}
	return map[string]any{
		"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
		"resources": []any{map[string]any{
			"resources": []string{"secrets"},
			"providers": []any{map[string]any{provider: map[string]any{"keys": list}}},
		}},
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// with puts the prefixes of the API server's configuration before a transformer.
func with(prefix string, t value.Transformer) value.Transformer {
	return value.NewPrefixTransformers(nil, value.PrefixTransformer{Prefix: []byte(prefix), Transformer: t})
}

// transform encrypts with write and asks read what still opens.
func transform(v vector, write, read value.Transformer) vector {
	ctx, at := context.Background(), value.DefaultContext([]byte(etcdKey))
	v.EtcdKey, v.CutOpens, v.FlipOpens = etcdKey, []int{}, []int{}
	v.Value = must(write.TransformToStorage(ctx, v.Plain, at))
	opens := func(data []byte, at value.Context) (ok bool) {
		// The transformer for CBC indexes the last byte of nothing.
		defer func() {
			if recover() != nil {
				ok = false
			}
		}()
		_, _, err := read.TransformFromStorage(ctx, data, at)
		return err == nil
	}
	back, _, err := read.TransformFromStorage(ctx, v.Value, at)
	if err != nil || !bytes.Equal(back, v.Plain) {
		panic(fmt.Sprint(v.Name, err))
	}
	for i := range v.Value {
		if opens(v.Value[:i], at) {
			v.CutOpens = append(v.CutOpens, i)
		}
		flipped := bytes.Clone(v.Value)
		flipped[i] ^= 1
		if opens(flipped, at) {
			v.FlipOpens = append(v.FlipOpens, i)
		}
	}
	v.MovedOpens = opens(v.Value, value.DefaultContext([]byte("/registry/secrets/shop/other")))
	return v
}

// kms1 and kms2 are plugins that "wrap" by a table.
type kms1 struct{ table map[string][]byte }

func (k kms1) Encrypt(data []byte) ([]byte, error) {
	wrapped := []byte(fmt.Sprintf("wrapped-%d", len(k.table)))
	k.table[string(wrapped)] = bytes.Clone(data)
	return wrapped, nil
}

func (k kms1) Decrypt(data []byte) ([]byte, error) {
	if key, ok := k.table[string(data)]; ok {
		return key, nil
	}
	return nil, fmt.Errorf("not wrapped here")
}

type kms2 struct{ kms1 }

func (k kms2) Encrypt(_ context.Context, _ string, data []byte) (*kmsservice.EncryptResponse, error) {
	wrapped, err := k.kms1.Encrypt(data)
	return &kmsservice.EncryptResponse{
		Ciphertext: wrapped, KeyID: "key-2026",
		Annotations: map[string][]byte{"kek.vault.example.com": {1, 2, 0xff}, "a.example.com": []byte("text")},
	}, err
}

func (k kms2) Decrypt(_ context.Context, _ string, req *kmsservice.DecryptRequest) ([]byte, error) {
	return k.kms1.Decrypt(req.Ciphertext)
}

func (k kms2) Status(context.Context) (*kmsservice.StatusResponse, error) { return nil, nil }

func (k kms1) keys() (keys [][]byte) {
	for _, key := range k.table {
		keys = append(keys, key)
	}
	return keys
}

func plugin1(plain []byte, name string, base func(cipher.Block) (value.Transformer, error)) vector {
	k := kms1{map[string][]byte{}}
	t := envelope.NewEnvelopeTransformer(k, 0, base)
	v := vector{Name: name, Plain: plain}
	w := with("k8s:enc:kms:v1:vault:", t)
	v = transform(v, w, w)
	v.KMSKeys = k.keys()
	return v
}

func plugin2(plain []byte, name string, seed bool) vector {
	k := kms2{kms1{map[string][]byte{}}}
	t, object, cacheKey, err := kmsv2.GenerateTransformer(context.Background(), "uid", k, seed)
	if err != nil {
		panic(err)
	}
	state := func() (kmsv2.State, error) {
		return kmsv2.State{
			Transformer: t, EncryptedObjectKeyID: object.KeyID, CacheKey: cacheKey,
			EncryptedObjectEncryptedDEKSource:     object.EncryptedDEKSource,
			EncryptedObjectAnnotations:            object.Annotations,
			EncryptedObjectEncryptedDEKSourceType: object.EncryptedDEKSourceType,
			ExpirationTimestamp:                   metav1.Now().Add(1 << 40),
		}, nil
	}
	w := with("k8s:enc:kms:v2:vault:", kmsv2.NewEnvelopeTransformer(k, "vault", state, ""))
	v := transform(vector{Name: name, Plain: plain}, w, w)
	v.KMSKeys = k.keys()
	return v
}

func gcm(b cipher.Block) (value.Transformer, error) { return aestransformer.NewGCMTransformer(b) }
func cbc(b cipher.Block) (value.Transformer, error) { return aestransformer.NewCBCTransformer(b), nil }

func main() {
	serializer := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	var buffer bytes.Buffer
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "shop"},
		Data:       map[string][]byte{"password": []byte("hunter2")},
	}
	if err := serializer.Encode(runtime.Object(secret), &buffer); err != nil {
		panic(err)
	}
	plain := buffer.Bytes()
	var vectors []vector
	for _, size := range []int{16, 24, 32} {
		for _, provider := range []string{"aescbc", "aesgcm"} {
			make := map[string]func(cipher.Block) (value.Transformer, error){"aescbc": cbc, "aesgcm": gcm}[provider]
			key := derived(fmt.Sprint(provider, size), size)
			other := derived("another key", size)
			t := with("k8s:enc:"+provider+":v1:", with("key2:", must(make(block(key)))))
			vectors = append(vectors, transform(vector{
				Name: fmt.Sprintf("%s, %d bytes", provider, size), Plain: plain,
				Config: config(provider, [2]string{"key1", b64(other)}, [2]string{"key2", b64(key)}),
			}, t, t))
		}
	}
	// A block more of padding, and none of it; a JSON value; nothing at all.
	for _, text := range []string{`{"kind":"Thing"}`, `{"kind":"Things"}`, ""} {
		key := derived("json", 32)
		t := with("k8s:enc:aescbc:v1:", with("a:b:", must(cbc(block(key)))))
		vectors = append(vectors, transform(vector{
			Name: fmt.Sprintf("aescbc, %d bytes of JSON, a key name with a colon", len(text)), Plain: []byte(text),
			Config: config("aescbc", [2]string{"a", b64(derived("x", 32))}, [2]string{"a:b", b64(key)}),
		}, t, t))
	}
	key := derived("secretbox", 32)
	t := with("k8s:enc:secretbox:v1:", with("box:", secretbox.NewSecretboxTransformer([32]byte(key))))
	vectors = append(vectors, transform(vector{
		Name: "secretbox", Plain: plain, Config: config("secretbox", [2]string{"box", b64(key)}),
	}, t, t))
	vectors = append(vectors,
		plugin1(plain, "kms v1, GCM", gcm), plugin1(plain, "kms v1, CBC", cbc),
		plugin2(plain, "kms v2, key", false), plugin2(plain, "kms v2, seed", true))
	out := json.NewEncoder(os.Stdout)
	for _, v := range vectors {
		if err := out.Encode(v); err != nil {
			panic(err)
		}
	}
}
