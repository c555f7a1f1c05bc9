package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A meaning is what a failure means for asking again.
type meaning int

const (
	unclear  meaning = iota
	limited          // too much was asked: later it may be taken
	passing          // something broke that may work again later
	rejected         // the request cannot succeed, by its general kind
	hopeless         // the request cannot succeed, for a reason that a status does not overrule
	locked           // the key is wrong
)

type row struct {
	meaning meaning
	words   []string
}

// codeMeanings says what a code means that has one of the words in it. Servers
// spell codes as rate_limit_exceeded, RateLimitError, TooManyRequests or
// "too many requests"; they are compared as lower-case letters and digits. The
// first row that fits counts.
var codeMeanings = []row{
	{locked, []string{"apikey", "authentication", "unauthenticated", "unauthorized", "invalidcredential", "invalidtoken", "signatureinvalid"}},
	{hopeless, []string{
		"contextlength", "contextwindow", "contextsize", "contextlimit", "contextoverflow", "toolong", "toolarge", "abovemax", "maxtokens", "inputlength", "inputtokens", "prompttokens", "tokenlimitexceeded", "tokenslimitexceeded", "tokenlimitreached",
		"tokenslimitreached", "maxcontext", "lengthlimit", "sizelimit", "bodylimit",
		"contentpolicy", "contentfilter", "contentblocked", "contentmanagement", "responsibleai", "policyviolation", "usagepolicy", "safety", "moderation", "flagged",
		"insufficientquota", "billing", "creditbalance", "insufficientcredit", "insufficientbalance", "insufficientfunds", "paymentrequired", "budgetexceeded", "spendlimit", "spendinglimit", "hardlimit", "creditlimit",
		"permission", "forbidden", "accessdenied", "notauthorized", "notretry", "nonretry", "noretry",
	}},
	{limited, []string{
		"ratelimit", "toomanyrequests", "toomanytokens", "throttl", "resourceexhausted", "quotaexceeded", "exceededquota", "requestlimit", "usagelimit",
		"limitexceeded", "limitreached", "slowdown", "concurren", "toomanyconnections", "perminute", "permin", "rpmlimit", "tpmlimit", "qpslimit", "rpmexceeded", "tpmexceeded",
		"qpsexceeded", "burstrate", "throughputexceeded",
	}},
	{passing, []string{"notready", "tryagain", "retry", "temporar"}},
	{rejected, []string{
		"invalid", "badrequest", "malformed", "unprocessable", "validation", "unsupported", "notsupported", "notallowed", "notfound", "notexist", "nosuch",
		"unknownparameter", "unknownmodel", "failedprecondition", "unimplemented", "notimplemented", "extraforbidden", "missing",
	}},
	{passing, []string{
		"servererror", "internal", "overload", "unavailable", "timeout", "timedout", "deadlineexceeded", "apierror", "connection", "disconnect", "network", "backend",
		"shuttingdown", "shutdown", "upstream", "gateway", "busy", "capacity", "queuefull", "processingerror", "loading", "warmingup", "starting", "modelcold", "aborted", "streamerror", "streaminterrupted", "modelerror",
		"modelstream", "serviceerror", "transient", "streamread", "econnre", "etimedout", "eaiagain", "epipe", "socket", "circuit", "noavailable", "nohealthy", "scaleup", "scaling", "coldstart", "maintenance", "draining",
		"preempt", "notcomplete", "inprogress",
	}},
}

// tooLong are words of texts that tell of a request that never fits. They count for
// more than a code that says that something broke.
var tooLong = row{hopeless, []string{
	"contextlength", "contextwindow", "contextsize", "contextlimit", "maximumcontext", "maxcontext", "promptistoolong", "promptistoolarge", "inputistoolong",
	"prompttoolong", "inputtoolong", "inputtokencount", "maximumnumberoftokens", "maximumallowednumberoftokens", "reducethelength", "shorterprompt", "musthavelessthan",
	"stringtoolong", "messagetoolong", "messageistoolong", "requestistoolong",
}}

// noModel are words of texts that tell of a model that the server does not have. Ollama
// said so with 500 for long.
var noModel = row{hopeless, []string{"trypullingit", "modelnotfound", "nosuchmodel", "unknownmodel", "modeldoesnotexist"}}

// lacksModel reports whether the server says that it does not have the model. With 502
// and more, a router may have none that serves it now.
func (f failure) lacksModel() bool {
	return (f.status == 0 || f.status == http.StatusInternalServerError) && look(f.text, []row{noModel}) == hopeless
}

// TooLong reports whether the provider has refused the request because it is longer than
// the model's context.
func (e *Error) TooLong() bool {
	says := func(s string) bool { return look(s, []row{tooLong}) == hopeless }
	return e.Answered && (slices.ContainsFunc(e.told.codes, says) || says(e.told.text))
}

// alone are words of texts that tell of a request that is over the limit by itself.
var alone = row{hopeless, []string{"requesttoolarge", "requestistoolarge"}}

// textMeanings says the same of the words that are for people, which are looked
// at where no code says anything.
var textMeanings = []row{
	tooLong,
	{hopeless, []string{
		"contentpolicy", "contentfilter", "usagepolic", "permission", "insufficientquota", "checkyourplanandbilling", "creditbalance", "availablecredits", "outofcredits",
		"nottryagain", "donttryagain", "notretry", "dontretry", "notberetried", "retryingwillnot", "accessdenied", "forbidden", "nothaveaccess", "contentmanagement", "wasfiltered",
	}},
	{locked, []string{"invalidapikey", "incorrectapikey", "apikeynotvalid", "unauthorized"}},
	{limited, []string{
		"ratelimit", "rateexceeded", "rateofrequests", "toomanyrequests", "toomanyconcurrent", "concurrentrequests", "requestsper", "usagelimit", "limitexceeded", "limitreached", "throttl",
		"slowdown", "tooquickly", "toofast",
	}},
	{passing, []string{
		"tryagain", "retryyour", "retrythe", "retryingmay", "pleaseretry", "retrylater", "againlater", "trylater", "comebacklater", "requestagain", "pleasewait", "overload", "temporar",
		"atcapacity", "highdemand", "highload", "heavyload", "queueisfull", "insufficientcapacity", "unavailable", "isbusy", "toobusy", "isloading", "isstarting", "startingup", "coldstart", "restarting", "warmingup", "timedout",
		"nohealthyupstream", "shuttingdown", "upstreamconnect", "connectionreset", "badgateway", "gatewaytimeout", "internalservererror",
	}},
	{rejected, []string{
		"invalidvalue", "invalidparameter", "invalidinput", "invalidrequest", "unsupportedparameter", "unsupportedvalue", "unknownparameter", "isnotsupported", "notsupportedwith", "doesnotexist", "missingrequired",
	}},
}

// means returns what a failure means for asking again: by its codes, then its
// status, then its words.
func (f failure) means() meaning {
	m := unclear
	for _, c := range f.codes {
		if m = meaningOf(c); m != unclear {
			break
		}
	}
	for _, c := range f.codes {
		if m == unclear && c != strconv.Itoa(f.status) {
			m = statusMeaning(c)
		}
	}
	byStatus := unclear
	if f.status >= http.StatusBadRequest {
		byStatus = statusMeaning(strconv.Itoa(f.status))
	}
	said := look(f.text, textMeanings)
	switch {
	case (m == passing || m == unclear) && f.lacksModel(), m == passing && look(f.text, []row{tooLong}) == hopeless, m == limited && look(f.text, []row{alone}) == hopeless:
		return hopeless
	case m == rejected && (byStatus == limited || byStatus == passing && f.status != http.StatusInternalServerError):
		return byStatus // the status is the more exact one
	case m != unclear:
		return m
	case said == rejected && f.status == http.StatusInternalServerError:
		return rejected // servers say 500 of requests that they cannot read
	case said == hopeless, said == locked, byStatus == unclear && said != unclear, byStatus == rejected && said != unclear:
		return said
	case f.wait > 0 && (byStatus == unclear && len(f.codes) > 0 || byStatus == rejected):
		return passing // who names a time to come back means it
	default:
		return byStatus
	}
}

func meaningOf(code string) meaning { return look(code, codeMeanings) }

func look(s string, table []row) meaning {
	s = plain(s)
	for _, row := range table {
		for _, word := range row.words {
			if strings.Contains(s, word) {
				return row.meaning
			}
		}
	}
	return unclear
}

// plain returns the letters and digits of s, in lower case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// statusMeaning returns what a number means as a status of HTTP or gRPC.
func statusMeaning(code string) meaning {
	n, err := strconv.Atoi(code)
	switch {
	case err == nil && n == 8: // RESOURCE_EXHAUSTED of gRPC
		return limited
	case err == nil && (n == 4 || n == 14): // DEADLINE_EXCEEDED and UNAVAILABLE
		return passing
	case err != nil || n < 400 || n > 599:
		return unclear
	case n == http.StatusTooManyRequests, n == 420: // which some sent before there was 429
		return limited
	case n == http.StatusUnauthorized, n == http.StatusProxyAuthRequired:
		return locked
	case n == http.StatusRequestTimeout, n == http.StatusConflict, n == http.StatusLocked, n == http.StatusTooEarly, n == 449, n == 499:
		return passing // 449 is Retry With, 499 a proxy's word for a caller that has gone
	case n == http.StatusNotImplemented, n == http.StatusHTTPVersionNotSupported:
		return rejected
	case n >= 500:
		return passing
	default:
		return rejected
	}
}
