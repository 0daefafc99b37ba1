// Writes bbolt databases as other programs lay them out, and what bbolt reads of them: `go run . FOLDER`.
// Own content; the names of the buckets are those of containerd, raft-boltdb, BuildKit and others.
package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func put(tx *bolt.Tx, path []string, key, value string) {
	b, err := tx.CreateBucketIfNotExists([]byte(path[0]))
	must(err)
	for _, name := range path[1:] {
		b, err = b.CreateBucketIfNotExists([]byte(name))
		must(err)
	}
	if key != "" {
		must(b.Put([]byte(key), []byte(value)))
	}
}

func number(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

var files = map[string]struct {
	pageSize int
	noFree   bool
	fill     func(tx *bolt.Tx, round int)
}{
	// Pages of raft's log: keys of eight bytes, most of them not printable.
	"raft": {16384, true, func(tx *bolt.Tx, round int) {
		for i := range uint64(150) {
			put(tx, []string{"logs"}, number(uint64(round)*150+i), strings.Repeat("entry ", 8))
		}
		put(tx, []string{"conf"}, "CurrentTerm", number(uint64(round)))
	}},
	// A bucket that has the name of one of etcd's, and one with the name of another.
	"names-of-etcd": {4096, false, func(tx *bolt.Tx, round int) {
		for i := range 40 {
			put(tx, []string{"key"}, fmt.Sprintf("job-%04d", i), fmt.Sprintf("{\"round\":%d}", round))
		}
		put(tx, []string{"members"}, "alice", "not JSON")
		put(tx, []string{"jobs", "key"}, "inner", "1")
		put(tx, []string{"queue", "meta"}, "inner", "2")
	}},
	// Names that a path cannot have as they are: slashes, bytes that are no text, a name that is another's path.
	"odd-names": {1024, false, func(tx *bolt.Tx, round int) {
		put(tx, []string{"a", "b", "c"}, "plain", "1")
		put(tx, []string{"a/b", "c"}, "slash", "2")
		put(tx, []string{"_main", "sha256:\xff\x00\n", "\x01"}, "bytes\xfe", "3")
		put(tx, []string{"sp ace", "q\"uote", "back\\slash"}, "text", "4")
		for i := range 30 {
			put(tx, []string{"a", fmt.Sprintf("sibling-%02d", i)}, "k", strings.Repeat("v", 40))
		}
	}},
	// Buckets in buckets as deep as Docker and containerd have them, and some more.
	"deep": {4096, false, func(tx *bolt.Tx, round int) {
		path := []string{"v1"}
		for i := range 12 {
			path = append(path, fmt.Sprintf("level-%d", i))
			put(tx, path, "here", fmt.Sprint(i))
		}
		for i := range 200 {
			put(tx, []string{"v1", "moby", "images", fmt.Sprintf("image-%03d", i)}, "createdat", number(uint64(i)))
		}
	}},
}

// A file that nobody writes to is made by opening it alone.
func empty(folder string) {
	path := filepath.Join(folder, "empty.db")
	os.Remove(path)
	db, err := bolt.Open(path, 0o644, nil)
	must(err)
	must(db.Close())
}

func walk(b *bolt.Bucket, path []string, out *os.File) {
	cursor := b.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		names := append(append([]string{}, path...), hex.EncodeToString(k))
		if v == nil {
			fmt.Fprintf(out, "%s\tbucket\n", strings.Join(names, "/"))
			walk(b.Bucket(k), names, out)
		} else {
			fmt.Fprintf(out, "%s\t%d\n", strings.Join(names, "/"), len(v))
		}
	}
}

func main() {
	empty(os.Args[1])
	for name, file := range files {
		path := filepath.Join(os.Args[1], name+".db")
		os.Remove(path)
		options := &bolt.Options{PageSize: file.pageSize, NoFreelistSync: file.noFree}
		db, err := bolt.Open(path, 0o644, options)
		must(err)
		for round := range 3 {
			must(db.Update(func(tx *bolt.Tx) error { file.fill(tx, round); return nil }))
		}
		truth, err := os.Create(filepath.Join(os.Args[1], name+".tsv"))
		must(err)
		must(db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				must(err)
			}
			return tx.ForEach(func(k []byte, b *bolt.Bucket) error {
				names := []string{hex.EncodeToString(k)}
				fmt.Fprintf(truth, "%s\tbucket\n", names[0])
				walk(b, names, truth)
				return nil
			})
		}))
		must(truth.Close())
		must(db.Close())
	}
}
