package rota

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strings"
	"time"
)

// Identifiers are a prefix and the 32 hexadecimal digits of a UUIDv7, so that
// they sort by the time they were made.
type (
	AgentID           string // agt_…
	AgentVersionID    string // agtv_…
	FunctionToolID    string // ftool_…
	ScheduleID        string // asch_…
	ScheduleVersionID string // aschv_…
	RunID             string // arun_…
	OccurrenceID      string // occ_…
	KeyID             string // key_…
	SigningKeyID      string // sig_…
	ResponseID        string // resp_…
	ConversationID    string // conv_…
	MCPServerID       string // mcp_srv_…
	MemoryStoreID     string // mem_…
	MemoryEntryID     string // memn_…
	MCPCredentialID   string // mcp_cred_…
)

// NewAgentID returns an identifier made at now.
func NewAgentID(now time.Time) AgentID { return AgentID(newID("agt_", now)) }

// NewAgentVersionID returns an identifier made at now.
func NewAgentVersionID(now time.Time) AgentVersionID { return AgentVersionID(newID("agtv_", now)) }

// NewFunctionToolID returns an identifier made at now.
func NewFunctionToolID(now time.Time) FunctionToolID { return FunctionToolID(newID("ftool_", now)) }

// NewScheduleID returns an identifier made at now.
func NewScheduleID(now time.Time) ScheduleID { return ScheduleID(newID("asch_", now)) }

// NewRunID returns an identifier made at now.
func NewRunID(now time.Time) RunID { return RunID(newID("arun_", now)) }

// NewKeyID returns an identifier made at now.
func NewKeyID(now time.Time) KeyID { return KeyID(newID("key_", now)) }

// NewSigningKeyID returns an identifier made at now.
func NewSigningKeyID(now time.Time) SigningKeyID { return SigningKeyID(newID("sig_", now)) }

// NewResponseID returns an identifier made at now.
func NewResponseID(now time.Time) ResponseID { return ResponseID(newID("resp_", now)) }

// ResponseOf returns the id of the response that Rota makes for a run: the same in all its
// attempts.
func ResponseOf(id RunID) ResponseID {
	return ResponseID("resp_" + strings.TrimPrefix(string(id), "arun_"))
}

// RunOf returns the id of the run for which Rota has made a response, if it was made for
// one.
func RunOf(id ResponseID) RunID {
	return RunID("arun_" + strings.TrimPrefix(string(id), "resp_"))
}

// NewConversationID returns an identifier made at now.
func NewConversationID(now time.Time) ConversationID { return ConversationID(newID("conv_", now)) }

// NewMCPServerID returns an identifier made at now.
func NewMCPServerID(now time.Time) MCPServerID { return MCPServerID(newID("mcp_srv_", now)) }

// NewMCPCredentialID returns an identifier made at now.
func NewMCPCredentialID(now time.Time) MCPCredentialID {
	return MCPCredentialID(newID("mcp_cred_", now))
}

// NewMemoryStoreID returns an identifier made at now.
func NewMemoryStoreID(now time.Time) MemoryStoreID { return MemoryStoreID(newID("mem_", now)) }

// NewMemoryEntryID returns an identifier made at now.
func NewMemoryEntryID(now time.Time) MemoryEntryID { return MemoryEntryID(newID("memn_", now)) }

// NewItemID returns an identifier of an item made at now, with a prefix such as "msg_".
func NewItemID(prefix string, now time.Time) string { return newID(prefix, now) }

// OccurrenceIDAt names a nominal time of a schedule, always in the same way: a
// UUIDv7 made at the nominal time, with bits of the schedule's identifier in
// place of the random ones. So the place of an identifier in a list is in it,
// and whoever records an occurrence a second time gives it the same name.
func OccurrenceIDAt(id ScheduleID, at Instant) OccurrenceID {
	h := fnv.New128a()
	h.Write([]byte(id))
	u := h.Sum(nil)
	binary.BigEndian.PutUint64(u, uint64(at.UnixMilli())<<16|0x7000|uint64(u[0]&0x0f)<<8|uint64(u[1]))
	u[8] = u[8]&0x3f | 0x80
	return OccurrenceID("occ_" + hex.EncodeToString(u))
}

// NewWorkerName returns a name for a process that begins at now.
func NewWorkerName(now time.Time) string { return newID("wrk_", now) }

// NewRequestID returns an identifier for a request that brought none.
func NewRequestID(now time.Time) string { return newID("req_", now) }

// newID makes a UUIDv7 whose 12 bits after the version hold the fraction of
// the millisecond (RFC 9562, section 6.2, method 3): two identifiers made more
// than 245 ns apart sort in the order they were made.
func newID(prefix string, now time.Time) string {
	var u [16]byte
	rand.Read(u[8:]) // never fails
	ms := now.UnixMilli()
	fraction := uint64(now.Nanosecond()%int(time.Millisecond)) * 4096 / uint64(time.Millisecond)
	binary.BigEndian.PutUint64(u[:8], uint64(ms)<<16|0x7000|fraction)
	u[8] = u[8]&0x3f | 0x80

	b := make([]byte, 0, len(prefix)+32)
	return string(hex.AppendEncode(append(b, prefix...), u[:]))
}
