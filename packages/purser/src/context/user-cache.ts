import { LRUCache } from 'lru-cache'
import type { ResolvedContext } from './api.ts'
import type { CacheEntry } from './cache-entry.ts'

/** A finished context and how long it may be given out again without a look at anything else. */
export interface View {
  /** Monotonic ms. */
  readonly until: number
  readonly epoch: number
  readonly context: ResolvedContext
  readonly promise: Promise<ResolvedContext>
}

/** What is in memory of one user. */
export interface UserEntry {
  /** False when it is in memory no more: whoever kept it looks the user up again. */
  isHeld: boolean
  readonly pieces: Map<string, CacheEntry>
  /** The contexts of calls without further options, found without a look-up. */
  reuse: View | undefined
  create: View | undefined
  /** Others: by mode, clock, zone and choice of sections. */
  readonly others: Map<string, View>
}

/** A user without data, about. */
const HOLDING_BYTES = 512

/** Loaded data and finished contexts, bounded by users and by bytes; the longest unused user goes first. */
export class UserCache {
  /** Contexts that were finished in another epoch are not given out again. */
  epoch = 0
  readonly #users: LRUCache<string, UserEntry>
  readonly #maxViews: number

  constructor({ maxUsers, maxBytes, maxViews }: { maxUsers: number; maxBytes: number; maxViews: number }) {
    // Without a limit of users, bytes alone are the limit.
    this.#users = new LRUCache({
      max: Number.isFinite(maxUsers) ? maxUsers : 0,
      maxSize: maxBytes,
      dispose: (holding, _, reason) => {
        holding.isHeld = false
        // Somebody may have kept it, and shall not keep what is in it.
        if (reason === 'evict') empty(holding)
      },
    })
    this.#maxViews = maxViews
  }

  get users(): number {
    return this.#users.size
  }

  get bytes(): number {
    return this.#users.calculatedSize
  }

  get(userId: string): UserEntry | undefined {
    return this.#users.get(userId)
  }

  /** A look is not a use: it keeps nobody in memory. */
  look(userId: string): UserEntry | undefined {
    return this.#users.peek(userId)
  }

  /** The finished context for calls of this key, as long as it is true. */
  view(holding: UserEntry, key: string, now: number): View | undefined {
    const view = key === 'reuse' ? holding.reuse : key === 'create' ? holding.create : holding.others.get(key)
    return view !== undefined && now < view.until && view.epoch === this.epoch ? view : undefined
  }

  /** Puts data in its place. */
  fill(userId: string, piece: string, held: CacheEntry): void {
    const holding = this.#users.get(userId) ?? {
      isHeld: false,
      pieces: new Map(),
      reuse: undefined,
      create: undefined,
      others: new Map(),
    }
    holding.pieces.set(piece, held)
    forgetViews(holding)
    this.#account(userId, holding)
  }

  fillIfAbsent(userId: string, piece: string, held: CacheEntry): void {
    if (this.#users.peek(userId)?.pieces.has(piece) !== true) this.fill(userId, piece, held)
  }

  remember(userId: string, key: string, view: View): void {
    const holding = this.#users.get(userId)
    if (holding === undefined) return
    if (key === 'reuse' || key === 'create') holding[key] = view
    else {
      if (holding.others.size >= this.#maxViews) holding.others.clear()
      holding.others.set(key, view)
    }
    this.#account(userId, holding)
  }

  /** Forgets all of a user, or the pieces that `concerns` names. */
  drop(userId: string, concerns?: (piece: string) => boolean): void {
    const holding = this.#users.peek(userId)
    if (holding === undefined) return
    for (const piece of holding.pieces.keys()) if (concerns?.(piece) ?? true) holding.pieces.delete(piece)
    forgetViews(holding)
    if (holding.pieces.size === 0) this.#users.delete(userId)
    else this.#account(userId, holding)
  }

  clear(): void {
    this.#users.clear()
  }

  /** A changed size is taken up only by putting the user in anew. */
  #account(userId: string, holding: UserEntry): void {
    let size = HOLDING_BYTES
    for (const { data, texts } of holding.pieces.values()) {
      size += data.bytes
      for (const { text } of texts.values()) size += text.length * 2
    }
    for (const view of [holding.reuse, holding.create, ...holding.others.values()])
      size += (view?.context.text.length ?? 0) * 2
    this.#users.delete(userId)
    this.#users.set(userId, holding, { size })
    holding.isHeld = this.#users.has(userId)
  }
}

function empty(holding: UserEntry): void {
  holding.pieces.clear()
  forgetViews(holding)
}

function forgetViews(holding: UserEntry): void {
  holding.reuse = undefined
  holding.create = undefined
  holding.others.clear()
}
