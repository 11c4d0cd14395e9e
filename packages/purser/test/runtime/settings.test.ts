import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, openHouse } from './house.ts'

test('RC-08 R2 R11: an unknown user reads as the defaults, each told by its layer, and is not created', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const settings = await house.user('nobody').settings()
  assert.equal(settings.version, 0)
  assert.equal(settings.provider, 'local')
  assert.equal(settings.model, 'm')
  assert.equal(settings.origin.provider, 'default')
  assert.equal(settings.region, null)
  assert.deepEqual(settings.mcpServers, [])
  assert.ok(Object.isFrozen(settings) && Object.isFrozen(settings.origin) && Object.isFrozen(settings.parameters))
  assert.deepEqual(house.runtimes.active(), [])
  assert.equal(await house.store.users.load(house.subject('nobody')), undefined)
})

test('RC-02: all that a runtime context holds has its place, and live things are not among the settings', async () => {
  const house = await openHouse()
  const user = house.user('ada')
  const settings = await user.configure({
    provider: 'local',
    model: 'n',
    region: 'eu-west-1',
    deployment: 'gpt-eu',
    baseURL: 'https://models.example/v1',
    mcpServers: ['plain'],
    preset: 'calm',
    parameters: { temperature: 1 },
    allowedModels: ['n', 'local/m'],
  })
  assert.deepEqual(
    { ...settings, origin: settings.origin.model },
    {
      version: 1,
      provider: 'local',
      model: 'n',
      region: 'eu-west-1',
      deployment: 'gpt-eu',
      baseURL: 'https://models.example/v1',
      mcpServers: ['plain'],
      preset: 'calm',
      parameters: { temperature: 1 },
      allowedModels: ['n', 'local/m'],
      origin: 'user',
    },
  )
  assert.deepEqual(await user.settings(), settings)
})

test('RC-07 RC-D01: configuring one user is not seen by any other', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  await house.user('ada').configure({ provider: 'many', model: 'y' })
  assert.equal((await house.user('bob').settings()).provider, 'local')
  assert.equal((await house.user('ada').settings()).provider, 'many')
})

test('RC-D03 R6: naming a provider alone never leaves the model of another', async () => {
  const house = await openHouse()
  const user = house.user('ada')
  await user.configure({ provider: 'many', model: 'y', deployment: 'd', baseURL: 'https://one.example/' })
  const moved = await user.configure({ provider: 'other' })
  assert.deepEqual([moved.provider, moved.model], ['other', 'only'])
  assert.deepEqual([moved.deployment, moved.baseURL], [null, null])
  await assert.rejects(user.configure({ provider: 'many' }), fails('model_required'))
  assert.deepEqual((await user.settings()).provider, 'other')
  assert.equal((await user.configure({ provider: 'local' })).model, 'm')
  assert.equal((await user.configure({ model: 'n' })).provider, 'local')
})
