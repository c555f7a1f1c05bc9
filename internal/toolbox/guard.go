package toolbox

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

const (
	connectTimeout = 10 * time.Second
	maxHeader      = 64 << 10
)

// errForbidden says that an address is not one that users may have called.
var errForbidden = errors.New("its address is private, and the operator has not allowed it")

// guard returns a transport for URLs that users have given. It connects to public
// addresses, and to those of the networks that are allowed; which address a name has is
// looked at when it is dialled. It uses no proxy, which would connect to anything.
func guard(allowed []netip.Prefix) *http.Transport {
	var v4, v6 []netip.Prefix
	for _, p := range allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	g := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	d := &net.Dialer{Timeout: connectTimeout, Control: g.Safe}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, address)
			if errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) {
				err = errForbidden
			}
			return c, err
		},
		TLSHandshakeTimeout:    connectTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true, // of a call on a connection that has just been closed nobody knows whether it arrived
		MaxResponseHeaderBytes: maxHeader,
	}
}
