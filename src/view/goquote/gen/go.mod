module etcdive.example/goquote/gen

go 1.26
