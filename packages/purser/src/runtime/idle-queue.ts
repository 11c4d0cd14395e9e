/** A member's own place in the queue; undefined while it is in none. */
export interface Queued<Member> {
  before: Member | undefined
  behind: Member | undefined
  isQueued: boolean
}

/**
 * Those who are idle, longest first. The links lie in the members themselves: going in and out, which happens with
 * every single use, costs no look-up and no memory.
 */
export class IdleQueue<Member extends { readonly place: Queued<Member> }> {
  #first: Member | undefined
  #last: Member | undefined

  get first(): Member | undefined {
    return this.#first
  }

  /** To the end. The member must not be queued. */
  add(member: Member): void {
    const { place } = member
    place.isQueued = true
    place.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.place.behind = member
    this.#last = member
  }

  /** Nothing happens when the member is not queued. */
  remove(member: Member): void {
    const { place } = member
    if (!place.isQueued) return
    if (place.before === undefined) this.#first = place.behind
    else place.before.place.behind = place.behind
    if (place.behind === undefined) this.#last = place.before
    else place.behind.place.before = place.before
    place.isQueued = false
    place.before = undefined
    place.behind = undefined
  }
}

export function unqueued<Member>(): Queued<Member> {
  return { before: undefined, behind: undefined, isQueued: false }
}
