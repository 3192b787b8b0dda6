// A run whose every text is hostile.

const codes = '<img src=x onerror="window.hostile=1"><script>window.hostile=2</script><style>*{display:none}</style>"\'`</textarea></script>{{7*7}}'
  + '\u202egnp.exe\u202c \u2066hidden\u2069 a\u200bb\u200dc\ufeff \u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0633\u0644\u0627\u0645 \u0000\u001b[31m';

// plant makes a hostile text that names its field.
export function plant(field) {
  plant.fields.add(field);
  return field + codes;
}
plant.fields = new Set();

// plantedIn returns the answer of follow_run with hostile text in every field.
export function plantedIn() {
  const call = name => ({ toolCallId: 'x' + codes, toolName: plant(`${name}Tool`), toolParameters: { [plant(`${name}Key`)]: plant(`${name}Value`) }, toolResult: plant(`${name}Result`) });
  const large = 'x'.repeat(1 << 20);
  return {
    runId: '00000000-0000-4000-8000-000000000000', status: plant('status'), summary: 'x' + codes, decide: plant('decide'),
    intent: plant('intent'), createdAt: codes, updatedAt: codes, finished: false, whole: true, lastEventId: 4,
    pendingApprovals: [{ approvalId: codes, scope: codes, eventId: 1, summary: plant('summary'), reason: plant('reason'), toolCalls: [call('approval')] }],
    authorization: { integrationName: plant('integration'), url: 'javascript:window.hostile=3//' + codes },
    plan: { title: plant('planTitle'), description: plant('planText'), steps: [{ id: 'a' + codes, description: plant('step') }, { id: 'b', description: large, dependsOnSteps: [plant('dependency')] }] },
    result: { [plant('name')]: plant('result'), nested: { a: [{ b: { c: { d: plant('deep') } } }] }, large, __proto__: { polluted: true } },
    events: [
      { eventId: 1, event: plant('event'), runStatus: codes, timestamp: codes, text: plant('text'), reason: plant('eventReason'), toolCalls: [call('event')] },
      { eventId: 2, event: 'step', approval: plant('approval').toUpperCase(), text: large, toolCalls: [{ toolName: 'large', toolParameters: { large } }] },
      { eventId: 3, event: 'authentication', auth: { status: plant('auth') } },
      { eventId: 4, event: 'authentication', auth: { status: 'required', integrationName: plant('authName') } },
    ],
  };
}
