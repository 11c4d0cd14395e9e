import { MOCK_KEY } from '../mock/api.ts'
import { type MockServer, openMockServer } from '../mock/server.ts'
import { openBrowser, openPage, type PageOptions, signIn, type WatchedPage } from './browser.ts'
import { ensureBuilt } from './build-deck.ts'

/** The mock server and a browser: for many users, and for what a real server does rarely. */
export interface MockHarness extends AsyncDisposable, Pick<MockServer, 'url' | 'store' | 'send'> {
  user(id: string): {
    /** Counts one message of the user and sends the activity to open pages. */
    chat(): void
  }
  openPage(options?: PageOptions): Promise<WatchedPage>
  /** Opens a location of the Deck, such as `#/users/ada`, signed in. Default: the list of users. */
  openDeck(location?: string): Promise<WatchedPage>
}

export async function openMockHarness(options: { users: number; prefix?: string }): Promise<MockHarness> {
  await ensureBuilt()
  const browser = await openBrowser()
  const mock = await openMockServer(options)
  return {
    url: mock.url,
    store: mock.store,
    send: mock.send,
    user: (id) => ({
      chat() {
        mock.store.chat(id)
        mock.send('activity', { users: [id] })
      },
    }),
    openPage: (pageOptions) => openPage(browser, mock.url, pageOptions),
    async openDeck(location = '#/users') {
      const watched = await openPage(browser, mock.url)
      await watched.page.goto(`${mock.url}${location}`)
      await signIn(watched.page, MOCK_KEY)
      await watched.page.getByRole('banner').waitFor()
      return watched
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
      await mock.close()
    },
  }
}
