package harness

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports of servers that run as processes of their own. They are below those that systems give
// to clients and to who listens on port 0 (Linux: 32768 and up).
const firstPort, lastPort = 20000, 32767

var reserved struct {
	sync.Mutex
	ports []net.Listener // each is two above that of an address: Vault takes the one between
}

// FreeAddress returns a loopback address for a server, on which nobody listens and which no
// other call of it returns while this process lives, in this process or another.
func FreeAddress() (string, error) {
	for range 100 {
		port := firstPort + 4*rand.IntN((lastPort-firstPort)/4)
		reservation, err := net.Listen("tcp", loopback(port+2))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			_ = reservation.Close()
			continue
		}
		_ = l.Close()
		reserved.Lock()
		reserved.ports = append(reserved.ports, reservation)
		reserved.Unlock()
		return loopback(port), nil
	}
	return "", errors.New("no free port was found")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
