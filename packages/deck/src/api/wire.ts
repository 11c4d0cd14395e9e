/** What travels between the Deck and the management API, as far as the Deck reads it. */

export type Role = 'viewer' | 'operator' | 'admin'

export interface Session {
  /** The key's name, which stands as the actor in the log. */
  readonly name: string
  readonly role: Role
}

export interface List<Item> {
  readonly data: readonly Item[]
  readonly cursor: string | null
}

export interface Bond {
  readonly user: string
  readonly exists: boolean
  readonly version: number
  readonly phase: string
  readonly previousPhase: string
  readonly archetype: string
  readonly phaseEnteredAt: string | null
  readonly turnCount: number
  readonly peaks: Readonly<Record<string, { readonly value: number; readonly at: string }>>
  readonly riskLevel: string
  /** 0 is unlimited. */
  readonly dailyCap: number
  readonly capOrigin: 'default' | 'user'
  readonly dailyCount: number
  readonly windowResetAt: string | null
  readonly blocked: null | {
    readonly at: string
    readonly actor: string
    readonly reason: string
    readonly until: string | null
  }
  readonly eggStatus: string
  readonly notesCount: number
  readonly timeZone: string | null
  readonly createdAt: string | null
  readonly lastSeenAt: string | null
  readonly updatedAt: string | null
}

/** One line of a user's log; the newest has the highest sequence. */
export interface LedgerEvent {
  readonly id: string
  readonly user: string
  readonly sequence: number
  readonly at: string
  readonly type: string
  readonly detail: string
  readonly data: Readonly<Record<string, unknown>>
  readonly actor?: string
  readonly reason?: string
  readonly policy?: string
  readonly mac: string
}

/** What a check of a user's log found. */
export type Verification =
  | { readonly ok: true; readonly checked: number }
  | {
      readonly ok: false
      readonly checked: number
      readonly firstBad: {
        readonly user?: string
        /** Absent: it is not about a single event. */
        readonly sequence?: number
        /** A whole sentence. */
        readonly problem: string
      }
    }

export interface Note {
  readonly id: string
  readonly at: string
  readonly text: string
  readonly actor: string
}

export interface Overview {
  readonly users: number
  readonly blocked: number
  readonly phases: Readonly<Record<string, number>>
  readonly riskLevels: Readonly<Record<string, number>>
  /** The declared vocabularies in their order, where the operator has declared them. */
  readonly vocabulary?: { readonly phases?: readonly string[] | null; readonly riskLevels?: readonly string[] | null }
  readonly server?: {
    readonly version: string
    readonly startedAt: string
    readonly store: { readonly name: string; readonly location: string }
    readonly namespace: string
  }
}

export interface Settings {
  readonly version: number
  readonly origin: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export interface SecretName {
  readonly name: string
  readonly fields: readonly string[]
  readonly updatedAt: string
}

export interface RuntimeSession {
  readonly id: string
  readonly policy: 'pin' | 'follow'
  readonly version: number
  readonly lastUsedAt: string
}

export type Freshness = 'fresh' | 'stale' | 'partial' | 'default' | 'empty' | 'unavailable'

export interface Context {
  readonly text: string
  readonly status: Freshness
  readonly sections: readonly {
    readonly name: string
    readonly status: Freshness
    readonly loadedAt: string | null
    readonly text: string
    /** Items or fields left out to keep the section within its size. */
    readonly cut: number
  }[]
}

export interface AnswerStats {
  readonly entries: number
  readonly active: number
  readonly expired: number
  readonly bytes: number
  readonly file: string | null
  readonly maxEntries: number | null
  readonly maxBytes: number | null
  readonly ttlMs: number | null
  readonly hits: number
  readonly misses: number
  readonly joined: number
  readonly evictions: number
}

export interface ActiveRuntime {
  readonly user: string
  readonly version: number
  readonly inUse: number
  readonly idleMs: number
  readonly clients: readonly {
    readonly kind: 'model' | 'mcp'
    readonly name: string
    readonly state: 'opening' | 'open' | 'draining'
    readonly inUse: number
  }[]
}
