import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { onDiagnostic } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { textSchema } from '../../http/schemas.ts'

const OVERHEAD_SECONDS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5]
const TURN_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const WAIT_SECONDS = [0.000_5, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 1.5, 3]

/** `GET /metrics`, from the library's diagnostics. No label names a user, so the number of series is bounded. */
export function registerMetricRoutes(app: FastifyInstance, context: AppContext): void {
  const registry = new Registry()
  const unsubscribe = collectMetrics(context, registry)
  app.addHook('onClose', async () => {
    unsubscribe()
    registry.clear()
  })
  app.get(
    '/metrics',
    defineRoute('read', {
      tag: 'service',
      summary: 'Prometheus metrics.',
      response: textSchema('text/plain', 'The metrics.'),
    }),
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}

type MetricFactory = {
  readonly registers: Registry[]
  counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label>
  histogram(name: string, help: string, buckets: number[]): Histogram
}

function createMetricFactory(registry: Registry): MetricFactory {
  const registers = [registry]
  return {
    registers,
    counter: (name, help, labelNames) => new Counter({ name: `purser_${name}_total`, help, labelNames, registers }),
    histogram: (name, help, buckets) => new Histogram({ name: `purser_${name}_seconds`, help, buckets, registers }),
  }
}

/** Returns the functions that stop feeding them. */
function collectContextMetrics(
  registry: Registry,
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
      contexts.inc({ status: resolved.status })
      waits.observe(resolved.waitedMs / 1000)
      queues.observe(resolved.queuedMs / 1000)
    }),
    onDiagnostic('load', (load) => {
      if (isOwn(load)) loads.inc({ source: load.source, outcome: load.outcome })
    }),
    onDiagnostic('section', ({ namespace, section, status, reason }) => {
      if (isOwn({ namespace })) sections.inc({ section, status, reason })
    }),
  ]
}

/** Registers the metrics and feeds them. Returns the function that stops feeding them. */
function collectMetrics(context: AppContext, registry: Registry): () => void {
  const { counter, histogram, registers } = createMetricFactory(registry)

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
  new Gauge({
    name: 'purser_runtimes',
    help: 'Users with live clients.',
    registers,
    collect() {
      this.set(context.purser.runtime.active().length)
    },
  })
  collectDefaultMetrics({ register: registry })

  /** Diagnostics are global to the process; other Pursers publish to the same channels. */
  const isOwn = ({ namespace }: { readonly namespace: string }): boolean => namespace === context.purser.namespace
  const subscriptions = [
    ...collectContextMetrics(registry, isOwn),
    onDiagnostic('provider_refusal', (refusal) => {
      if (isOwn(refusal)) refusals.inc({ provider: refusal.provider })
    }),
    onDiagnostic('turn', (turn) => {
      if (!isOwn(turn)) return
      turns.inc({ outcome: turn.outcome, cache: turn.cache })
      if (turn.prefix !== null) prefixes.inc({ prefix: turn.prefix })
      if (turn.inputTokens !== null) {
        const cached = Math.min(turn.cachedTokens ?? 0, turn.inputTokens)
        inputTokens.inc({ cached: 'true' }, cached)
        inputTokens.inc({ cached: 'false' }, turn.inputTokens - cached)
      }
      overhead.observe(turn.overheadMs / 1000)
      duration.observe(turn.totalMs / 1000)
    }),
    onDiagnostic('admission', (admission) => {
      if (isOwn(admission)) admissions.inc({ outcome: admission.outcome })
    }),
    onDiagnostic('answer', (answer) => {
      if (isOwn(answer)) answers.inc({ outcome: answer.outcome })
    }),
    onDiagnostic('client', (client) => {
      if (isOwn(client)) clients.inc({ kind: client.kind, outcome: client.outcome })
    }),
  ]
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe()
  }
}
