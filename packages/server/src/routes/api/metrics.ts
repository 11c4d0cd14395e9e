import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { onDiagnostic } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { route, textOf } from '../../http/route.ts'

const OVERHEAD_SECONDS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5]
const TURN_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const WAIT_SECONDS = [0.000_5, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 1.5, 3]

/** `GET /metrics`. Fed by what the library signals; no label ever names a user, so their number stays bounded. */
export function metricRoutes(app: FastifyInstance, house: AppContext): void {
  const registry = new Registry()
  const stop = measure(house, registry)
  app.addHook('onClose', async () => {
    stop()
    registry.clear()
  })
  app.get(
    '/metrics',
    route('read', { tag: 'service', summary: 'Prometheus metrics.', answer: textOf('text/plain', 'The metrics.') }),
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}

function measure(house: AppContext, registry: Registry): () => void {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name: `purser_${name}_total`, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name: `purser_${name}_seconds`, help, buckets, registers })

  const turns = counter('turns', 'Turns by how they ended.', ['outcome', 'cache'])
  const overhead = histogram('turn_overhead', 'Time a turn spent in Purser before its answer began.', OVERHEAD_SECONDS)
  const duration = histogram('turn', 'Time of a whole turn.', TURN_SECONDS)
  const admissions = counter('admissions', 'Admissions by outcome.', ['outcome'])
  const contexts = counter('contexts', 'Contexts by how complete they were.', ['status'])
  const waits = histogram('context_wait', 'Time a caller waited for a context.', WAIT_SECONDS)
  const loads = counter('context_loads', 'Loads of context sources by outcome.', ['source', 'outcome'])
  const answers = counter('answers', 'Look-ups of kept answers.', ['outcome'])
  const clients = counter('clients', 'Live clients opened and closed.', ['kind', 'outcome'])
  new Gauge({
    name: 'purser_runtimes',
    help: 'Users with live clients.',
    registers,
    collect() {
      this.set(house.purser.runtime.active().length)
    },
  })
  collectDefaultMetrics({ register: registry })

  const ours = (signal: { readonly namespace: string }): boolean => signal.namespace === house.purser.namespace
  const stops = [
    onDiagnostic('turn', (turn) => {
      if (!ours(turn)) return
      turns.inc({ outcome: turn.outcome, cache: turn.cache })
      overhead.observe(turn.overheadMs / 1000)
      duration.observe(turn.totalMs / 1000)
    }),
    onDiagnostic('admission', (admission) => {
      if (ours(admission)) admissions.inc({ outcome: admission.outcome })
    }),
    onDiagnostic('resolve', (resolved) => {
      if (!ours(resolved)) return
      contexts.inc({ status: resolved.status })
      waits.observe(resolved.waitedMs / 1000)
    }),
    onDiagnostic('load', (load) => {
      if (ours(load)) loads.inc({ source: load.source, outcome: load.outcome })
    }),
    onDiagnostic('answer', (answer) => {
      if (ours(answer)) answers.inc({ outcome: answer.outcome })
    }),
    onDiagnostic('client', (client) => {
      if (ours(client)) clients.inc({ kind: client.kind, outcome: client.outcome })
    }),
  ]
  return () => {
    for (const end of stops) end()
  }
}
