import type { FastifyInstance } from 'fastify'
import { onDiagnostic } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { type Counter, type Histogram, MetricRegistry } from '../../http/metric-registry.ts'
import { textSchema } from '../../http/schemas.ts'

const OVERHEAD_SECONDS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5]
const TURN_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const WAIT_SECONDS = [0.000_5, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 1.5, 3]

/** `GET /metrics`, from the library's diagnostics. No label names a user, so the number of series is bounded. */
export function registerMetricRoutes(app: FastifyInstance, context: AppContext): void {
  const registry = new MetricRegistry()
  const unsubscribe = collectMetrics(context, registry)
  let processMetrics: Promise<() => Promise<string>> | undefined
  app.addHook('onClose', async () => unsubscribe())
  app.get(
    '/metrics',
    defineRoute('read', {
      tag: 'service',
      summary: 'Prometheus metrics.',
      response: textSchema('text/plain', 'The metrics.'),
    }),
    async (_request, reply) => {
      processMetrics ??= openProcessMetrics()
      const ofProcess = await (await processMetrics)()
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(`${registry.render()}\n${ofProcess}`)
    },
  )
}

/** The metrics of the Node process, which are measured from the first request for them on. */
async function openProcessMetrics(): Promise<() => Promise<string>> {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return () => registry.metrics()
}

interface MetricFactory {
  counter(name: string, help: string, labelNames: readonly string[]): Counter
  histogram(name: string, help: string, bounds: readonly number[]): Histogram
}

function createMetricFactory(registry: MetricRegistry): MetricFactory {
  return {
    counter: (name, help, labelNames) => registry.counter(`purser_${name}_total`, help, labelNames),
    histogram: (name, help, bounds) => registry.histogram(`purser_${name}_seconds`, help, bounds),
  }
}

/** Returns the functions that stop feeding them. */
function collectContextMetrics(
  registry: MetricRegistry,
  isOwn: (payload: { readonly namespace: string }) => boolean,
): (() => void)[] {
  const { counter, histogram } = createMetricFactory(registry)
  const contexts = counter('contexts', 'Resolved contexts by status.', ['status'])
  const waits = histogram('context_wait', 'Time a caller waited for a context.', WAIT_SECONDS)
  const queues = histogram('context_queue', 'Of that, the time until a load had a slot.', WAIT_SECONDS)
  const sections = counter('context_sections', 'Sections of contexts that are stale or unavailable, by reason.', [
    'section',
    'status',
    'reason',
  ])
  const loads = counter('context_loads', 'Loads of context sources by source and outcome.', ['source', 'outcome'])
  return [
    onDiagnostic('resolve', (resolved) => {
      if (!isOwn(resolved)) return
      contexts.add([resolved.status])
      waits.observe(resolved.waitedMs / 1000)
      queues.observe(resolved.queuedMs / 1000)
    }),
    onDiagnostic('load', (load) => {
      if (isOwn(load)) loads.add([load.source, load.outcome])
    }),
    onDiagnostic('section', ({ namespace, section, status, reason }) => {
      if (isOwn({ namespace })) sections.add([section, status, reason])
    }),
  ]
}

/** Models that have series of their own; the name of a model may be one that a user chose. */
const MAX_MODELS = 200
const OTHERS = ['other', 'other'] as const

/** Usage by model and refusals by limit, without users. */
function collectUsageMetrics(
  registry: MetricRegistry,
  isOwn: (payload: { readonly namespace: string }) => boolean,
): (() => void)[] {
  const { counter, histogram } = createMetricFactory(registry)
  const requests = counter('requests', 'Turns by provider, model and outcome.', ['provider', 'model', 'outcome'])
  const tokens = counter('tokens', 'Tokens by provider, model and kind; input has those of kind cached as well.', [
    'provider',
    'model',
    'kind',
  ])
  const cost = counter('cost', 'Cost in the configured currency.', ['provider', 'model'])
  const refusals = counter('limit_refusals', 'Refused turns by limit.', ['limit'])
  const upstream = histogram('upstream', "Time of a turn's own calls of upstreams.", TURN_SECONDS)
  const models = new Set<string>()

  function labelsOf(provider: string | null, model: string | null): readonly [provider: string, model: string] {
    if (provider === null || model === null) return ['none', 'none']
    const name = `${provider}/${model}`
    if (!models.has(name) && models.size >= MAX_MODELS) return OTHERS
    models.add(name)
    return [provider, model]
  }

  return [
    onDiagnostic('turn', (turn) => {
      if (!isOwn(turn)) return
      const labels = labelsOf(turn.provider, turn.model)
      requests.add([...labels, turn.outcome])
      if (turn.limit !== null) refusals.add([turn.limit])
      if (turn.upstreamMs > 0) upstream.observe(turn.upstreamMs / 1000)
      if (turn.inputTokens) tokens.add([...labels, 'input'], turn.inputTokens)
      if (turn.cachedTokens) tokens.add([...labels, 'cached'], turn.cachedTokens)
      if (turn.outputTokens) tokens.add([...labels, 'output'], turn.outputTokens)
      const amount = Number(turn.cost ?? 0)
      if (amount > 0) cost.add(labels, amount)
    }),
  ]
}

/** Registers the metrics and feeds them. Returns the function that stops feeding them. */
function collectMetrics(context: AppContext, registry: MetricRegistry): () => void {
  const { counter, histogram } = createMetricFactory(registry)

  const turns = counter('turns', 'Turns by outcome and cache result.', ['outcome', 'cache'])
  const prefixes = counter(
    'turn_prefixes',
    'Turns by whether the start of their context equals that of the turn before in the same session.',
    ['prefix'],
  )
  const refusals = counter('provider_refusals', 'Refusals of users by providers.', ['provider'])
  const inputTokens = counter('input_tokens', 'Input tokens by whether the upstream took them from its prompt cache.', [
    'cached',
  ])
  const overhead = histogram(
    'turn_overhead',
    'Time spent in Purser before the first chunk of a turn.',
    OVERHEAD_SECONDS,
  )
  const duration = histogram('turn', 'Total time of a turn.', TURN_SECONDS)
  const admissions = counter('admissions', 'Admissions by outcome.', ['outcome'])
  const answers = counter('answers', 'Lookups in the answer cache by outcome.', ['outcome'])
  const clients = counter('clients', 'Live clients opened and closed.', ['kind', 'outcome'])
  registry.gauge(
    'purser_unrecorded_admissions',
    'Admissions that were allowed while the store failed and are not recorded yet.',
    () => context.purser.unrecordedAdmissions,
  )
  const deliveries = counter('webhook_deliveries', 'Deliveries to webhooks by outcome of the attempt.', ['outcome'])
  context.webhooks.onOutcome = (outcome) => deliveries.add([outcome])
  registry.gauge('purser_runtimes', 'Users with live clients.', () => context.purser.runtime.active().length)

  /** Diagnostics are global to the process; other Pursers publish to the same channels. */
  const isOwn = ({ namespace }: { readonly namespace: string }): boolean => namespace === context.purser.namespace
  const subscriptions = [
    ...collectContextMetrics(registry, isOwn),
    ...collectUsageMetrics(registry, isOwn),
    onDiagnostic('provider_refusal', (refusal) => {
      if (isOwn(refusal)) refusals.add([refusal.provider])
    }),
    onDiagnostic('turn', (turn) => {
      if (!isOwn(turn)) return
      turns.add([turn.outcome, turn.cache])
      if (turn.prefix !== null) prefixes.add([turn.prefix])
      if (turn.inputTokens !== null) {
        const cached = Math.min(turn.cachedTokens ?? 0, turn.inputTokens)
        inputTokens.add(['true'], cached)
        inputTokens.add(['false'], turn.inputTokens - cached)
      }
      overhead.observe(turn.overheadMs / 1000)
      duration.observe(turn.totalMs / 1000)
    }),
    onDiagnostic('admission', (admission) => {
      if (isOwn(admission)) admissions.add([admission.outcome])
    }),
    onDiagnostic('answer', (answer) => {
      if (isOwn(answer)) answers.add([answer.outcome])
    }),
    onDiagnostic('client', (client) => {
      if (isOwn(client)) clients.add([client.kind, client.outcome])
    }),
  ]
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe()
  }
}
