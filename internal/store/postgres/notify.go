package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// quiet is how long a listener receives nothing before it checks its connection.
const quiet = 5 * time.Second

// channel is an expression for the schema's channel.
const channel = `'rota_' || md5(current_schema())`

// Notify sends messages to every process that listens, including this one, in one
// transaction.
func (s *Store) Notify(ctx context.Context, messages []string) error {
	_, err := s.pool.Exec(ctx, "SELECT pg_notify("+channel+", word) FROM unnest($1::text[]) word", messages)
	return err
}

// Listen calls receive for each message that a process sends, one call at a time,
// until ctx ends. It reconnects when the connection breaks. Whenever it has
// connected, it calls receive with "", because messages may have been missed. While
// it is connected, [OpenSource] and [OpenTarget] cannot have the schema to
// themselves.
func (s *Store) Listen(ctx context.Context, log *slog.Logger, receive func(message string)) {
	for failed := false; ctx.Err() == nil; failed = true {
		err := s.listen(ctx, func(message string) {
			if message == "" && failed {
				log.Info("the database is heard again")
			}
			receive(message)
		})
		if ctx.Err() == nil {
			log.Error("listening to the database failed; it is tried again each second", "err", explain(s.pool.Config(), err))
			pause(ctx)
		}
	}
}

func (s *Store) listen(ctx context.Context, receive func(string)) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	if err := lockShared(ctx, conn, s.log); err != nil {
		return err
	}
	var name string
	if err := conn.QueryRow(ctx, "SELECT "+channel).Scan(&name); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{name}.Sanitize()); err != nil {
		return err
	}
	receive("")
	for {
		if err := receiveOne(ctx, conn, receive); err != nil {
			return err
		}
	}
}

// receiveOne passes on the next message. If there is none for a while, it checks
// the connection instead.
func receiveOne(ctx context.Context, conn *pgx.Conn, receive func(string)) error {
	soon, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	n, err := conn.WaitForNotification(soon)
	if err == nil {
		receive(n.Payload)
		return nil
	}
	if ctx.Err() != nil || soon.Err() == nil {
		return err
	}
	return ping(ctx, conn)
}
