package console

func (c *console) endUsers(v visit) (view, error) {
	l, err := c.Control.EndUsers(v.Context(), v.who, v.list())
	return view{Template: "end-users", Title: "End users", Here: "/end-users", Data: l}, err
}
