/** A number that only grows. */
export interface Counter {
  /** One text for each label of the counter, in their order. */
  add(labels: readonly string[], amount?: number): void
}

/** How often a value was in each range. */
export interface Histogram {
  observe(value: number): void
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** The samples behind the name of the metric: suffix, labels and value. */
  samples(): Iterable<string>
}

/** Metrics as numbers in memory. Counting costs no text; `render` writes them in the text format of Prometheus. */
export class MetricRegistry {
  readonly #metrics: Metric[] = []

  counter(name: string, help: string, labelNames: readonly string[]): Counter {
    const counter = new LabeledCounter(labelNames)
    this.#metrics.push({ name, help, type: 'counter', samples: () => counter.samples() })
    return counter
  }

  /** `bounds`: the upper ends of the ranges, in ascending order. Greater values have a range of their own. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new RangeHistogram(bounds)
    this.#metrics.push({ name, help, type: 'histogram', samples: () => histogram.samples() })
    return histogram
  }

  /** `read` is called for each rendering. */
  gauge(name: string, help: string, read: () => number): void {
    this.#metrics.push({ name, help, type: 'gauge', samples: () => [` ${read()}`] })
  }

  render(): string {
    return this.#metrics.map(renderMetric).join('\n')
  }
}

function renderMetric({ name, help, type, samples }: Metric): string {
  const lines = [...samples()].map((sample) => `${name}${sample}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

/** Counts of one label, by its value: numbers of the last label, maps of the others. */
type Counts = Map<string, number | Counts>

class LabeledCounter implements Counter {
  readonly #labelNames: readonly string[]
  readonly #counts: Counts = new Map()

  constructor(labelNames: readonly string[]) {
    this.#labelNames = labelNames
  }

  add(labels: readonly string[], amount = 1): void {
    const last = this.#labelNames.length - 1
    let counts = this.#counts
    for (let index = 0; index < last; index++) {
      const label = labels[index] as string
      let next = counts.get(label) as Counts | undefined
      if (next === undefined) {
        next = new Map()
        counts.set(label, next)
      }
      counts = next
    }
    const label = labels[last] as string
    counts.set(label, ((counts.get(label) as number | undefined) ?? 0) + amount)
  }

  *samples(): Iterable<string> {
    yield* this.#samplesOf(this.#counts, [])
  }

  *#samplesOf(counts: Counts, before: readonly string[]): Iterable<string> {
    const name = this.#labelNames[before.length]
    for (const [value, count] of counts) {
      const labels = [...before, `${name}="${escapeLabel(value)}"`]
      if (typeof count === 'number') yield `{${labels.join(',')}} ${count}`
      else yield* this.#samplesOf(count, labels)
    }
  }
}

class RangeHistogram implements Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let index = 0
    while (index < bounds.length && value > (bounds[index] as number)) index++
    this.#counts[index] = (this.#counts[index] as number) + 1
    this.#sum += value
  }

  /** Each range contains the ones before it. */
  *samples(): Iterable<string> {
    let total = 0
    for (const [index, count] of this.#counts.entries()) {
      total += count
      yield `_bucket{le="${this.#bounds[index] ?? '+Inf'}"} ${total}`
    }
    yield `_sum ${this.#sum}`
    yield `_count ${total}`
  }
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}
