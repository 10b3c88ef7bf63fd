package installation

import (
	"fmt"
	"io"
	"net"
)

// Balance listens on a port of loopback and joins each connection to one of the
// others in turn, the next one where one does not answer, as a load balancer in
// front of collectors does. It looks at nothing else. Connections that stand when
// release is called go on until an end closes them.
func Balance(ports []int) (port int, release func(), err error) {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	go func() {
		for turn := 0; ; turn++ {
			client, err := front.Accept()
			if err != nil {
				return
			}
			go join(client, ports, turn)
		}
	}()
	return front.Addr().(*net.TCPAddr).Port, func() { _ = front.Close() }, nil
}

func join(client net.Conn, ports []int, turn int) {
	defer client.Close()
	for i := range ports {
		back, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[(turn+i)%len(ports)]))
		if err != nil {
			continue
		}
		defer back.Close()
		ended := make(chan struct{}, 2)
		for _, way := range [2][2]net.Conn{{client, back}, {back, client}} {
			go func() {
				_, _ = io.Copy(way[0], way[1]) // the other side sees that it ended
				ended <- struct{}{}
			}()
		}
		<-ended
		return
	}
}
