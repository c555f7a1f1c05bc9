package rota

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
)

// ObjectScheduleVersion is the object field of a ScheduleVersion.
const ObjectScheduleVersion = "agent.schedule.version"

// MaxScheduleVersions is how many versions of a schedule are kept: the newest.
const MaxScheduleVersions = 100

// A ScheduleConfig is what people write of a schedule that its runs can tell: its times,
// and what a run is made of.
type ScheduleConfig struct {
	Name               *string           `json:"name"`
	Spec               Spec              `json:"schedule"`
	Input              Input             `json:"input"`
	Conversation       Conversation      `json:"conversation"`
	PreviousResponseID *string           `json:"previous_response_id"`
	ContextManagement  Any               `json:"context_management"`
	Metadata           map[string]string `json:"metadata"`
	Policy             Policy            `json:"policy"`
	AgentVersion       *int64            `json:"agent_version" doc:"The version of the agent that its runs had; null if they followed the agent."`
}

// A ScheduleVersion is a configuration that a schedule has, or has had. It never
// changes.
type ScheduleVersion struct {
	Object     string            `json:"object" enum:"agent.schedule.version"`
	ID         ScheduleVersionID `json:"id"`
	ScheduleID ScheduleID        `json:"schedule_id"`
	AgentID    AgentID           `json:"agent_id"`
	Version    int64             `json:"version" doc:"The schedule_version of occurrences and runs; 1 is the first."`
	IsCurrent  bool              `json:"is_current"`
	ScheduleConfig
	CreatedAt Instant `json:"created_at"`
}

// Config returns the configuration that the schedule has.
func (s Schedule) Config() ScheduleConfig {
	return ScheduleConfig{
		Name: s.Name, Spec: s.Spec, Input: s.Input, Conversation: s.Conversation, PreviousResponseID: s.PreviousResponseID,
		ContextManagement: s.ContextManagement, Metadata: s.Metadata, Policy: s.Policy, AgentVersion: s.AgentVersion,
	}
}

// CurrentVersion returns the version that the schedule has.
func (s Schedule) CurrentVersion() ScheduleVersion {
	return ScheduleVersion{
		Object: ObjectScheduleVersion, ID: ScheduleVersionIDOf(s.ID, s.ScheduleVersion), ScheduleID: s.ID, AgentID: s.AgentID,
		Version: s.ScheduleVersion, IsCurrent: true, ScheduleConfig: s.Config(), CreatedAt: s.VersionedAt,
	}
}

// ScheduleVersionIDOf names a version of a schedule, always in the same way, so that the
// identifiers of a schedule's versions sort as these do.
func ScheduleVersionIDOf(id ScheduleID, version int64) ScheduleVersionID {
	h := fnv.New128a()
	h.Write([]byte(id))
	u := h.Sum(nil)
	binary.BigEndian.PutUint64(u, uint64(version))
	return ScheduleVersionID("aschv_" + hex.EncodeToString(u))
}

// Number returns the version that the identifier names; 0 if it names none.
func (id ScheduleVersionID) Number() int64 {
	const prefix = len("aschv_")
	if len(id) < prefix {
		return 0
	}
	u, err := hex.DecodeString(string(id[prefix:]))
	if err != nil || len(u) != 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(u))
}
