import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../../sdk/fake-transport.ts'
import { runFake } from '../../fake-context.ts'

const run = (argv: readonly string[], data?: object) =>
  runFake(['operator', 'raft', ...argv], data ? { answer: () => envelopeOf({ data }) } : {})
const peer = { node_id: 'a', address: 'a:8201', leader: true, voter: true, protocol_version: '3' }

describe('operator raft', () => {
  it.each([
    [['list-peers'], 'Error reading the raft cluster configuration: '],
    [['join', 'http://a:8200'], 'Error joining the node to the Raft cluster: '],
    [['remove-peer', 'a'], 'Error removing the peer from raft cluster: '],
    [['autopilot', 'state'], 'Error checking autopilot state: '],
    [['autopilot', 'get-config'], ''],
    [['autopilot', 'set-config'], ''],
  ])('%j says what a server with another storage says: 2', async (argv, words) => {
    const { status, err } = await runFake(['operator', 'raft', ...argv], {
      answer: () => ({ status: 400, body: '{"errors":["raft storage is not in use"]}' }),
    })
    expect(status).toBe(2)
    expect(err).toMatch(new RegExp(`^${words}Error making API request\\.`))
    expect(err).toContain('* raft storage is not in use')
  })

  it('lists the peers of a server that has some', async () => {
    const data = { config: { servers: [peer, { ...peer, node_id: 'b', leader: false, voter: false }] } }
    expect((await run(['list-peers'], data)).out).toBe(
      'Node    Address    State       Voter\n----    -------    -----       -----\na       a:8201     leader      true\nb       a:8201     follower    false\n',
    )
    expect(JSON.parse((await run(['list-peers', '-format=json'], data)).out).data).toEqual(data)
    const none = await runFake(['operator', 'raft', 'list-peers'], {
      answer: () => ({ status: 404, body: '{"errors":[]}' }),
    })
    expect([none.status, none.err]).toEqual([2, 'No raft cluster configuration found\n'])
  })

  it('joins by address or by a provider', async () => {
    const answer = () => ({ body: '{"joined":true}' })
    const direct = await runFake(['operator', 'raft', 'join', '-retry', 'https://a:8200'], { answer })
    expect(direct.out).toBe('Key       Value\n---       -----\nJoined    true\n')
    expect(JSON.parse(direct.requests[0]?.body ?? '')).toEqual({
      leader_api_addr: 'https://a:8200',
      leader_ca_cert: '',
      leader_client_cert: '',
      leader_client_key: '',
      retry: true,
      non_voter: false,
    })
    const auto = await runFake(['operator', 'raft', 'join', '-format=json', 'provider=aws region=x'], { answer })
    expect(JSON.parse(auto.requests[0]?.body ?? '')).toMatchObject({
      auto_join: 'provider=aws region=x',
      auto_join_scheme: 'https',
      auto_join_port: 8200,
    })
    expect(JSON.parse(auto.out)).toEqual({ joined: true })
    expect((await run(['join', '-auto-join-scheme=ftp', 'x'])).status).toBe(1)
  })

  it('removes a peer, never one without name', async () => {
    const { out, requests } = await run(['remove-peer', 'a'])
    expect([out, requests[0]?.body]).toEqual(['Peer removed successfully!\n', '{"server_id":"a"}'])
    expect(await run(['remove-peer', ' '])).toMatchObject({ status: 1, err: 'Server id is required\n' })
  })

  it('shows state and configuration of autopilot', async () => {
    expect(JSON.parse((await run(['autopilot', 'state'], { healthy: true })).out)).toEqual({ healthy: true })
    const { out } = await run(['autopilot', 'get-config'], { min_quorum: 3, last_contact_threshold: '10s' })
    expect(out).toContain('Last Contact Threshold                10s\n')
    expect(out).toContain('Min Quorum                            3\n')
  })

  it('changes only what a flag names', async () => {
    const flags = ['-cleanup-dead-servers=false', '-min-quorum=3', '-server-stabilization-time=10s']
    expect((await run(['autopilot', 'set-config', ...flags])).requests[0]?.body).toBe(
      '{"cleanup_dead_servers":false,"min_quorum":3,"server_stabilization_time":"10s"}',
    )
    expect((await run(['autopilot', 'set-config'])).requests[0]?.body).toBe('{}')
  })
})
