package app

import (
	"context"
	"fmt"
	"net/http"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target/tryton"
)

// LogsIn says whether a connection's books open by a password.
func LogsIn(m merchant.Merchant, connection string) bool {
	c, known := m.Connection(connection)
	return known && c.Target == "tryton"
}

// Admit keeps the password of a connection's user, sealed, once it opens the books
// that the connection posts to.
func Admit(ctx context.Context, clouds []Cloud, m merchant.Merchant, connection, password string) error {
	cloud, c, err := cloudOf(clouds, m, connection)
	if err != nil {
		return err
	}
	if c.Target != "tryton" {
		return fmt.Errorf("connection %s of merchant %s posts to %s, which is not opened by a password", c.ID, m.ID, c.Target)
	}
	return cloud.login(m, c).Connect(ctx, password)
}

// login gives access to a database by its user's password.
func (c Cloud) login(m merchant.Merchant, connection merchant.Connection) *tryton.Access {
	set := connection.Settings
	return tryton.NewAccess(tryton.AccessOptions{
		URL: set["url"], Database: set["database"], User: set["user"], HTTP: &http.Client{Timeout: cloudTimeout},
		Connection: m.ID + "/" + connection.ID, Tokens: c.Tokens,
	})
}
