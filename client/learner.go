package client

// Learner learns the secrets in what the API tells. It must not change it.
type Learner interface {
	LearnRun(*Run)
	LearnEvent(Event)
	// LearnKey learns a key that the API accepted just now.
	LearnKey(Key)
}

// unlearned is the Learner of those who show nothing.
type unlearned struct{}

func (unlearned) LearnRun(*Run)    {}
func (unlearned) LearnEvent(Event) {}
func (unlearned) LearnKey(Key)     {}
