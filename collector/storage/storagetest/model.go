package storagetest

import "testing"

func testModel(t *testing.T, fresh Fresh) {}
