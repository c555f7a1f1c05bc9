package postgres

import (
	"log/slog"
	"time"
)

// sameAgain is how long a complaint is not repeated.
const sameAgain = time.Minute

// A complaint is about something that is tried again and again. The zero value is
// usable.
type complaint struct {
	said string
	at   time.Time
}

// log logs that it has failed, unless it has just done so with an equal error.
func (c *complaint) log(log *slog.Logger, text string, err error) {
	now := time.Now()
	if err.Error() == c.said && now.Sub(c.at) < sameAgain {
		return
	}
	log.Error(text+"; it is tried again each second", "err", err)
	c.said, c.at = err.Error(), now
}

// settled logs that it works, if there was a complaint.
func (c *complaint) settled(log *slog.Logger, text string) {
	if c.said != "" {
		log.Info(text)
	}
	*c = complaint{}
}
