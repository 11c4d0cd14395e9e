/** A member knows its own place: going in and out, which happens with every use, costs no look-up and no memory. */
export interface Queued<Member> {
  isQueued: boolean
  before: Member | undefined
  behind: Member | undefined
}

/** Those who are idle, longest first. */
export class IdleQueue<Member extends Queued<Member>> {
  #first: Member | undefined
  #last: Member | undefined

  get first(): Member | undefined {
    return this.#first
  }

  /** To the end. The member must not be queued. */
  add(member: Member): void {
    member.isQueued = true
    member.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.behind = member
    this.#last = member
  }

  /** Nothing happens when the member is not queued. */
  remove(member: Member): void {
    if (!member.isQueued) return
    const { before, behind } = member
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    member.isQueued = false
    member.before = undefined
    member.behind = undefined
  }
}
