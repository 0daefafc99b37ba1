module etcdive.example/quote/gen

go 1.26
