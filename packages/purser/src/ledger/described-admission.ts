import type { Admitted } from './decide/admission.ts'

/** An admission without its ticket. */
export interface Description extends Omit<Admitted, 'allowed' | 'ticket' | 'unrecorded'> {
  readonly unrecorded: true | undefined
}

/**
 * An admission whose ticket is made when it is first read. All have one getter in common: an object literal with a getter
 * gets a hidden class of its own, which outlives the turn.
 */
export class DescribedAdmission implements Admitted {
  static readonly #TICKET: PropertyDescriptor & ThisType<DescribedAdmission> = {
    enumerable: true,
    get() {
      this.#text ??= this.#encode()
      return this.#text
    },
  }

  readonly allowed = true
  declare readonly ticket: string
  readonly remaining: number
  readonly cap: number
  readonly count: number
  readonly resetAt: string | null
  readonly model: string | null
  readonly downgradedBy: string | null
  declare readonly unrecorded?: true
  readonly #encode: () => string
  #text: string | undefined

  constructor({ remaining, cap, count, resetAt, model, downgradedBy, unrecorded }: Description, encode: () => string) {
    this.remaining = remaining
    this.cap = cap
    this.count = count
    this.resetAt = resetAt
    this.model = model
    this.downgradedBy = downgradedBy
    if (unrecorded) this.unrecorded = true
    this.#encode = encode
    Object.defineProperty(this, 'ticket', DescribedAdmission.#TICKET)
  }
}
