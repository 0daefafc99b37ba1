module schemagen

go 1.24
