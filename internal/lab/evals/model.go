package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// model is a model behind an OpenAI-compatible chat completions API.
type model struct {
	url, name, key string
	http           *http.Client
}

// Messages and calls, named as in that API.
type (
	message struct {
		Role       string     `json:"role"`
		Content    string     `json:"content"`
		ToolCalls  []toolCall `json:"tool_calls,omitempty"`
		ToolCallID string     `json:"tool_call_id,omitempty"`
	}
	toolCall struct {
		ID       string       `json:"id"`
		Type     string       `json:"type"`
		Function functionCall `json:"function"`
	}
	functionCall struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"` // a JSON object
	}
	tool struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	function struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Parameters  any    `json:"parameters"`
	}
)

const (
	answerTime  = 3 * time.Minute // per answer; local models are slow
	answerLimit = 4 << 20         // bytes
)

func newModel(url, name, key string) *model {
	return &model{url: strings.TrimSuffix(url, "/"), name: name, key: key, http: &http.Client{
		Timeout: answerTime,
		// Follow no redirect: the key is for the given address only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// nextCalls returns the calls that the model makes next, or none if it answers with
// text.
func (m *model) nextCalls(ctx context.Context, s *situation) ([]functionCall, error) {
	body, err := json.Marshal(map[string]any{"model": m.name, "messages": s.messages, "tools": s.tools})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if m.key != "" {
		req.Header.Set("Authorization", "Bearer "+m.key)
	}
	answer, err := m.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return nil, err
	}
	if m.key != "" { // some APIs repeat the key that they refuse
		text = bytes.ReplaceAll(text, []byte(m.key), []byte("[key]"))
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the model's API answered %d: %.200q", answer.StatusCode, text)
	}
	return readCalls(text)
}

// readCalls returns the calls of a completion.
func readCalls(text []byte) ([]functionCall, error) {
	var completion struct {
		Choices []struct {
			Message message `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(text, &completion); err != nil {
		return nil, fmt.Errorf("the model's API answered no completion: %w", err)
	}
	if len(completion.Choices) == 0 {
		return nil, errors.New("the model's API answered without a choice")
	}
	var calls []functionCall
	for _, c := range completion.Choices[0].Message.ToolCalls {
		calls = append(calls, c.Function)
	}
	return calls, nil
}
