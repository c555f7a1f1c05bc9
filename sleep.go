package rota

// A Sleep is what a run or a response waits for whose agent has called the tool sleep.
type Sleep struct {
	Since  Instant `json:"since" doc:"When it fell asleep."`
	Until  Instant `json:"until" doc:"When it goes on, unless somebody wakes it before."`
	Reason *string `json:"reason" doc:"Why, in the words of its agent; null if it has given none."`
}

// A RunSleep is how a run falls asleep.
type RunSleep struct {
	Sleep
	Attempt  Attempt        // that ends with it
	Attempts []RunAttempt   // all so far, this one included
	Steps    []ResponseStep // those that are not on record yet; the last of all is the call of sleep
}

// A ResponseSleep is how a response falls asleep.
type ResponseSleep struct {
	Sleep
	ID     ResponseID
	Worker string         // that has worked on it
	Steps  []ResponseStep // those that are not on record yet; the last of all is the call of sleep
}

// Awake says what came of a call of sleep, which called is, when somebody wakes the
// sleeper. It is pure.
type Awake func(called ResponseStep) ResponseStep
