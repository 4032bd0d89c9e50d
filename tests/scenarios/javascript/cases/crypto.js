// Cryptography, compression and encodings, as ../cases.js compares them with workerd. What is random in
// an answer goes there and back. The keys and signatures are Node's.
import { DurableObject } from 'cloudflare:workers';

const KEYS = {
  rsa: {
    pkcs8: 'MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDhr0nL1aOZ17I0+kBoRIt9yZD67gMyqzdDhdWy9Lia3WilzbWQgQBQdiKo/MPxTdYJfoqdIt+16ejaNcwQYCo4z+zAmU7P6UEdG9r1E79i5jxlgVwTWwKytzOPn5ARUxFeqrkOs81H1WoNyMZK6rmRdzMlygR0cmZmxdIJF1dCap7PhybWLhUt0AX5q/KgzRVBbkqkRsAA1jujQpYiHSHwD4fMkoGnbAIvlveLwRQrxcekHgqMgKwkQ1iVpGXmvglVG197kTfYG51Zzy6yJCSsEmQ3Tn5iNZOVzhkXh09IAUtfiZCme86kjUTko4kEmqPmIh7Lq059zhPYF4X0cGuTAgMBAAECggEAFIRhCxzjAKtxUgumK1R/8fGPMqDMvaB/J65VHS3OUpXqW5h19ysjIi17PS2tipRu7vIIG/z9pYYcWyok4SA89mlAtsm5NoGYH9NWdo1TCuSvfPLjsgbGGgU5tMbmzAxnOdn/dOy3rt4iBBrKnCj2sdjKV5ckDIoR8SnuzFDI6Aqpoi4mm7ppCnAKF5TDK2Jc8PB6hnk+MyjikwQLGHSvsFppLCOGBu+qf7bYpZuiylrtdl9GxRYAad1dYUABD0CL//sY9/hv7G0a/B8lqlJppPhwd333bXTbqAKNeg2ZWbEV92bO0SScX52hSwXykbIAupJLmzNIwgeb+5yo9tVuMQKBgQD7Qh8BjEvgeRQjNDYfqYrgoe9flvzp4XL6O86jGIlGlFmkeaK6B6zrfFLyPffk3iZW2ZbpE7ThpRN9bogbmKw8URfNf6kbQirb/rc7YP2Pczn7qTqKVSnbUcVdtmCVN1Im6yN2l75Fs1OvenE5ansptknIUSvPIixMHhw1cYBSbwKBgQDl8Z28Mgkv8XGHhljq73VopMNCaCGtB0eCjAjepj8IbeymHV6K7ynYFJJ2t+c+r5nG147m2USNDyMrj7g/rlVgtw4ZdRmzXUPhL1jXJzYNeLD9DawwvuswR4xn/yOopp8sVvnQf9ryB+leC3Fnl900ChNeD/yI1xrGpI5pBlC7HQKBgQDj3jeYg9Bcp/JnavabCHv29WXOX3TH97r6zjq9F4eIBwq1a8r0w/lDJ+Fh6Gllm0NSCMwgXcrxyXA/lXrC7Fdn7HOV321SV1PfaMZsh63t5yZy4itBQbNQQHyqXLiDG0TaHu5uo3fgZp5CytzcoYFJdxS7I0KD/A4IilYy8dja6QKBgD02Eo1UrIlstpIjO2xfDlwq8CevXLeY5npkGMBcdQ8jZAnca5yEihkRcOPVlONlD4SVQV9Gmy8Jxo0EF0IsgGHcmQ5B0/Ohcj5xwi6UK5ludX8HsrzPNgCGK2RL0QxGPr0o8huEzZ38aS010pyHGsWNoRY7Hzi2OlSC3b4rhjYpAoGBAM/hQjOAgHPd6pLu79ySOZSkYfhA0nc/Vyrp2WjBz4ZPEntB7k+u/kbZrWAoINconnVKJTZAY4gZR8EpdsD64zdU26cStAmgEAyCaDSJldXKqvLV8ehqWB4qcuB81gobWMLebcCtVFEMYZaBBUVph9g4omfJrDACdGJbRLxH1g2d',
    spki: 'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4a9Jy9WjmdeyNPpAaESLfcmQ+u4DMqs3Q4XVsvS4mt1opc21kIEAUHYiqPzD8U3WCX6KnSLfteno2jXMEGAqOM/swJlOz+lBHRva9RO/YuY8ZYFcE1sCsrczj5+QEVMRXqq5DrPNR9VqDcjGSuq5kXczJcoEdHJmZsXSCRdXQmqez4cm1i4VLdAF+avyoM0VQW5KpEbAANY7o0KWIh0h8A+HzJKBp2wCL5b3i8EUK8XHpB4KjICsJENYlaRl5r4JVRtfe5E32BudWc8usiQkrBJkN05+YjWTlc4ZF4dPSAFLX4mQpnvOpI1E5KOJBJqj5iIey6tOfc4T2BeF9HBrkwIDAQAB',
    pss: 'Eztq0qIW+X4rF1k3Pn7VjyyX3Apvq1ZWf0ow8/l3rKWumb6ebFF4L/zG/cVurqDXf0aQVOen28JME4pRtUtXJfkY6AGMcjXoDkMZbigrSqhLnjTtkxD2XfVIx3Ogcgv6/uEv2ii/5aw7xOje8nnDRS7FEhJNJn95PSV11Rs8+epkhtIUlDwGzoiFFL0G6v2GQ4WNbzCJrsLZnglVeA3yQEUhUHfqa2wq6Ws4m5CWfuTczhwRr5VpwFxhTi+MZ7eCQLrQECQQ4BhjslgV9h4fqjsRiQEYV5soXQdUTS+HSfyxFQuJce3IUOzHOdTyAPFY/0RF274LDF1HWC7vUnLrtg==',
    pss20: 'feoIFkabX3R1WrwSR74us4m/6+5fvVKPzMLiBxwsLevG3ekbCA9ywckyAC+bdD79GhzpbOs9V+jSLjsUTg/WxuQ3JtZqIGm4Mgs957a9p+1LnJFOzWbjqZbJsFrXPy4lfLum5i9kqe7p2IHcI3M9htctLNppDPA38yrFFyGGjpKoHyGLAPghkkfQ+zJ3iAP0a5BVVcoMmgwUoF+ZUKDR6ieO8QEf9aSF+joC39oTJsAxgbx9ZOBVfqU0FO4IlrTRTpNmP53ktgkLoMbjayuaWEJWRtA+wi8kN7cwgYjo+eCLPiU3sQ44FcXUMcunilKjFzIgWM6Aili8o/0n5IFHww==',
    sha1: 'cC5Cd7K3Qpa+vwhcbA9gaIeEq/jq3NfQsFp0jyiy3PAMLqQ5ek4O5z73dl47j/7JDZHuToBdegT3nK1oomhESd4Ev01HADok7ONcB0ZfXn6D83I8UkUDgi45Uoh02twlPYFYsnXQz581JyDd1iuh4US/8F99pDtiKjri1mMbo55Z6aLZSkbgyi6etrKe2OYgVyfaevz/gfjUrYmPqcQbRDCm8s6FvSzHaQaj/Zls15S4CX7In6nJUSDAxak57Fi4PZ0braGu/xi4Qn0RyfZOM4H9EBZGibIYEYsk8Tsn4EBD2Fpl3mgffbNHIoGgLbYAACRCJICMrcxTIciVtLmZdw==',
    oaep: 'uXbWFvn0S7Kqv4pXL627Xznp4dRi/vyrKpB42M618FpQh8TftfFvqaOr+PdRXwL/ULMZTo3bgGo00RgXU9x3yPNpADbfM9VLc9w4As6X0iD/XlQ3t3JGvJS5DO1gppjzKy26eSWhrrEKO65FOpSylifBgR2dEre3xUnqHTOmrxLbrNyfzgUh67tTPylilbekiPI0G9YZOVJ/4E7Ep0+ZODRLcLBhUN8zwbAtkL00/xGSs6Vxg72HVDzfXn9x0IiGMon9t8FdYKdspZ4tUKdwVtJhBTVjrkCRwQji8XIAT7h+ezAtLdQlG84oIKhLUc15/tbxjKpHZ5yPA7ygxhXTUg=='
  },
  p256: {
    pkcs8: 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgat2/oEaULOXnlV8av5mNhTeRQ+Iin7Y2TguzzBkI6MihRANCAASex6CS3iaQUz9MNs0iRBbmymsjngNG5JxIy6cQ7uYSzzmdMG0FsKpb1LjhcqIHmeJ76+PLX1kr7dvtk9jNOYEk',
    spki: 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnsegkt4mkFM/TDbNIkQW5sprI54DRuScSMunEO7mEs85nTBtBbCqW9S44XKiB5nie+vjy19ZK+3b7ZPYzTmBJA==',
    jwk: {
      kty: 'EC',
      x: 'nsegkt4mkFM_TDbNIkQW5sprI54DRuScSMunEO7mEs8',
      y: 'OZ0wbQWwqlvUuOFyogeZ4nvr48tfWSvt2-2T2M05gSQ',
      crv: 'P-256',
      d: 'at2_oEaULOXnlV8av5mNhTeRQ-Iin7Y2TguzzBkI6Mg'
    },
    sha256: 'fDm744vvGbKxiByBS8TUUHej8Wc4jxaMGsssBIFzdCJJt+jI0I11CQUNICW1PhjSg1NHyKNqHW44Wt5Axiyq6g==',
    sha512: 'Sd5Gh6zkimdVwLBAD5NxGwi1AZFQ9SdGhskcrvSD2v2+zIKGZ2yWf+IG1Y+uUZ4h+8ge4c4h2SfV5a4qyG9fVw=='
  },
  p384: {
    pkcs8: 'MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDt9nWsZVazxO8L69N1830m7EUOEZlI6N+I+VnAw/TkvvZNl+ML7ozt86XfjrmQi7mhZANiAASI4FXUm59w8Qw+lLe6za/paHHIKWvCuINep1K0MSFG4qIpn4yGC4G57yKYS54yHT5WDLdXZ0dfa7wUUcNBuEcurUkfIMKvnzkt0gs0KO8EYyrtwAhO+KlMCV84mm3RRAs=',
    spki: 'MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEiOBV1JufcPEMPpS3us2v6WhxyClrwriDXqdStDEhRuKiKZ+MhguBue8imEueMh0+Vgy3V2dHX2u8FFHDQbhHLq1JHyDCr585LdILNCjvBGMq7cAITvipTAlfOJpt0UQL',
    jwk: {
      kty: 'EC',
      x: 'iOBV1JufcPEMPpS3us2v6WhxyClrwriDXqdStDEhRuKiKZ-MhguBue8imEueMh0-',
      y: 'Vgy3V2dHX2u8FFHDQbhHLq1JHyDCr585LdILNCjvBGMq7cAITvipTAlfOJpt0UQL',
      crv: 'P-384',
      d: '7fZ1rGVWs8TvC-vTdfN9JuxFDhGZSOjfiPlZwMP05L72TZfjC-6M7fOl3465kIu5'
    },
    sha256: 'MVCxOHUjy/4EJJYy70dByCQvDW44MkcJKUZcJPwZELZFJ8TBmjw2cEebh8gXYu5AAwh13pshkqFp2/wL+rOr8tJaO/02H5xdpkJhVeGBOIz9PkirnmEGIay7I6xjz9bH',
    sha512: 'Mkl/HpkThNU9/Zs6kCbst8MSXhn1CDwdsVUOshB7GGeVA1DA3b3lRGp21yMwQi/Tluben9YeovzbD/lx/o6jkNKLd8t6KbxslXJmuSvhW84yF1ZPe8cubYfZieMr3FUK'
  },
  p521: {
    pkcs8: 'MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIARMZ/ulv6HTCH4XWy4lO3/Oh3RU0oVuhpdMbGcVlGanIfD5rCglTi2Tq7Zy93Gxl++UMCROIAStCA4Ctar0iFCxqhgYkDgYYABAEn22uW9afZP18EPYljkPSmIXClorACn5YEpBQEiK4cOrmDxi7VN48MnarPF6KU/+5o3mRKvgXcbKEvN3+TuUzy9QHMNFA7JBAkDrj9e05Pq8OpaGylewxdI9SEKhcceUIGU0MvWEGLQmueO7gg707qUIZCJlAs854oH3PVG8dyq93gdg==',
    spki: 'MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBJ9trlvWn2T9fBD2JY5D0piFwpaKwAp+WBKQUBIiuHDq5g8Yu1TePDJ2qzxeilP/uaN5kSr4F3GyhLzd/k7lM8vUBzDRQOyQQJA64/XtOT6vDqWhspXsMXSPUhCoXHHlCBlNDL1hBi0Jrnju4IO9O6lCGQiZQLPOeKB9z1RvHcqvd4HY=',
    jwk: {
      kty: 'EC',
      x: 'ASfba5b1p9k_XwQ9iWOQ9KYhcKWisAKflgSkFASIrhw6uYPGLtU3jwydqs8XopT_7mjeZEq-BdxsoS83f5O5TPL1',
      y: 'Acw0UDskECQOuP17Tk-rw6lobKV7DF0j1IQqFxx5QgZTQy9YQYtCa547uCDvTupQhkImUCzznigfc9Ubx3Kr3eB2',
      crv: 'P-521',
      d: 'AETGf7pb-h0wh-F1suJTt_zod0VNKFboaXTGxnFZRmpyHw-awoJU4tk6u2cvdxsZfvlDAkTiAErQgOArWq9IhQsa'
    },
    sha256: 'ATKusJC3u9Qq+Yn5yFgd0XNUkvXjML4p30lKp/nartm5kqfrxzjggAlKabtLTII0Lf7qaGWsiStRwyheG15rkYO7AbKehW1+yMetcti6QxZSt7NxLLZzwoiK/Bqklaf4cVL8Boi6xN+O01cWDUgqAXbUpfjB16jEe16weR2LOxQ0P64T',
    sha512: 'AHixQ3fgjIJ3FuCrwkIJyiTZ1eptw5IGLEcAaYuVb85yPNBQQZxto8chVLB7pHernSDMXhW4gAzyCrexC8HKiNbxALZsHqDW9Nt7YZPa2J2qoIgW+wt0RMFXVeFa9K+oKSawKDWqHLiIKMyNIZdpMdqcK00zIcuG1bhuhHaALQ4/lByv'
  },
  ed25519: {
    pkcs8: 'MC4CAQAwBQYDK2VwBCIEILXfaEFthth2+IQuycdwzBqHF/fMKyjt7dBoHnd0YePF',
    spki: 'MCowBQYDK2VwAyEAuK918fZgHZktFlRFdb1cOAEptmD5X8XdYIlAY337LaI=',
    jwk: {
      crv: 'Ed25519',
      d: 'td9oQW2G2Hb4hC7Jx3DMGocX98wrKO3t0Gged3Rh48U',
      x: 'uK918fZgHZktFlRFdb1cOAEptmD5X8XdYIlAY337LaI',
      kty: 'OKP'
    },
    signature: '+7DCvM2OJ6VApxQPeX24kLGGzLtEHfrEIAhbjkawm4bxHC+1Cluuz7k5dmim5Y+iBzXKUAbNBQwAXWVD2V29Cw=='
  },
  x25519one: {
    pkcs8: 'MC4CAQAwBQYDK2VuBCIEINBPkPR7H29zTZ7jAkGPBjXntZIGa8GSpD21YTuWTzJu',
    spki: 'MCowBQYDK2VuAyEAh7FqfnedZi6NN70x2h6+3uZ6SpdgU5htdsWjbk+9DFg='
  },
  x25519two: {
    pkcs8: 'MC4CAQAwBQYDK2VuBCIEICAadDCcTtb4mF0sNp8NIoo2NkxXV0WqPQ+I5wyBJl5q',
    spki: 'MCowBQYDK2VuAyEAsDJ8PvFPALW3gn+18u9RXtiwH0y8dbItISVJo+QKuCA='
  }
};

const { subtle } = crypto;
const encoder = new TextEncoder();
const text = encoder.encode('signed text');
const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
const fromHex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

async function shown(work) {
  try {
    const value = await work();
    return { value: value instanceof ArrayBuffer || ArrayBuffer.isView(value) ? hex(value.buffer ?? value) : (value ?? String(value)) };
  } catch (error) {
    return { error: error.name };
  }
}

/** The name of what is thrown, or whether all went well. */
async function nameOf(work) {
  try {
    await work();
    return 'nothing thrown';
  } catch (error) {
    return error.name;
  }
}

const names = (works) => Promise.all(works.map(nameOf));
const rsa = (name, hash = 'SHA-256') => ({ name, hash });
const ec = (namedCurve, name = 'ECDSA') => ({ name, namedCurve });
const privateKey = (key, algorithm, ...usages) => subtle.importKey('pkcs8', bytes(key.pkcs8), algorithm, true, usages);
const publicKey = (key, algorithm, ...usages) => subtle.importKey('spki', bytes(key.spki), algorithm, true, usages);
const secret = (digits, name, ...usages) => subtle.importKey('raw', fromHex(digits), name, true, usages);
const about = ({ type, extractable, algorithm, usages }) => ({ type, extractable, usages, algorithm: { ...algorithm, ...(algorithm.publicExponent ? { publicExponent: [...algorithm.publicExponent] } : {}) } });
const plain = (jwk) => JSON.parse(JSON.stringify(jwk));

/** The members of a key, of which those that are random say how long they are. */
const lengths = (jwk) => Object.fromEntries(Object.entries(plain(jwk)).sort().map(([name, value]) => [name, ['x', 'y', 'd', 'n', 'p', 'q', 'dp', 'dq', 'qi', 'k'].includes(name) && jwk.kty !== 'RSA' ? value.length : jwk.kty === 'RSA' && name.length < 3 && name !== 'e' ? 'number' : value]));

const KEY = '000102030405060708090a0b0c0d0e0f';
const LONG = `${KEY}101112131415161718191a1b1c1d1e1f`;

const signatures = {
  async rsa_pkcs1_signs() {
    const signed = await Promise.all(['SHA-256', 'SHA-384', 'SHA-512'].map(async (hash) => subtle.sign('RSASSA-PKCS1-v1_5', await privateKey(KEYS.rsa, rsa('RSASSA-PKCS1-v1_5', hash), 'sign'), text)));
    return signed.map(hex);
  },
  async rsa_pkcs1_verifies_sha1() {
    const key = await publicKey(KEYS.rsa, rsa('RSASSA-PKCS1-v1_5', 'SHA-1'), 'verify');
    return [await subtle.verify('RSASSA-PKCS1-v1_5', key, bytes(KEYS.rsa.sha1), text), await subtle.verify('RSASSA-PKCS1-v1_5', key, bytes(KEYS.rsa.sha1), encoder.encode('other'))];
  },
  async rsa_pss_verifies() {
    const key = await publicKey(KEYS.rsa, rsa('RSA-PSS'), 'verify');
    const other = await publicKey(KEYS.rsa, rsa('RSA-PSS', 'SHA-384'), 'verify');
    return [
      await subtle.verify({ name: 'RSA-PSS', saltLength: 32 }, key, bytes(KEYS.rsa.pss), text),
      await subtle.verify({ name: 'RSA-PSS', saltLength: 20 }, key, bytes(KEYS.rsa.pss), text),
      await subtle.verify({ name: 'RSA-PSS', saltLength: 20 }, other, bytes(KEYS.rsa.pss20), text),
      await subtle.verify({ name: 'RSA-PSS', saltLength: 32 }, key, bytes(KEYS.rsa.sha1), text),
      await subtle.verify({ name: 'RSA-PSS', saltLength: 32 }, key, new Uint8Array(3), text),
    ];
  },
  async rsa_pss_there_and_back() {
    const signing = await privateKey(KEYS.rsa, rsa('RSA-PSS', 'SHA-512'), 'sign');
    const key = await publicKey(KEYS.rsa, rsa('RSA-PSS', 'SHA-512'), 'verify');
    return Promise.all([0, 10, 64, 190].map(async (saltLength) => subtle.verify({ name: 'RSA-PSS', saltLength }, key, await subtle.sign({ name: 'RSA-PSS', saltLength }, signing, text), text)));
  },
  async rsa_pss_salt_too_long() {
    const key = await privateKey(KEYS.rsa, rsa('RSA-PSS'), 'sign');
    return nameOf(() => subtle.sign({ name: 'RSA-PSS', saltLength: 223 }, key, text));
  },
  async rsa_generates() {
    const { publicKey: open, privateKey: closed } = await subtle.generateKey({ name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, false, ['sign', 'verify']);
    return [about(open), about(closed), await subtle.verify('RSASSA-PKCS1-v1_5', open, await subtle.sign('RSASSA-PKCS1-v1_5', closed, text), text), lengths(await subtle.exportKey('jwk', open)), await nameOf(() => subtle.exportKey('pkcs8', closed))];
  },
  rsa_generates_not: () => names([[0, [1, 0, 1]], [2049, [1, 0, 1]], [2048, [5]], [20480, [1, 0, 1]]].map(([modulusLength, exponent]) => () =>
    subtle.generateKey({ name: 'RSA-PSS', modulusLength, publicExponent: new Uint8Array(exponent), hash: 'SHA-256' }, true, ['sign', 'verify']))),
  async rsa_exports() {
    const closed = await privateKey(KEYS.rsa, rsa('RSA-PSS', 'SHA-384'), 'sign');
    const open = await publicKey(KEYS.rsa, rsa('RSA-PSS', 'SHA-384'), 'verify');
    return [hex(await subtle.exportKey('pkcs8', closed)), hex(await subtle.exportKey('spki', open)), plain(await subtle.exportKey('jwk', closed)), plain(await subtle.exportKey('jwk', open)), about(closed), about(open)];
  },
  async rsa_of_jwk() {
    const jwk = await subtle.exportKey('jwk', await privateKey(KEYS.rsa, rsa('RSASSA-PKCS1-v1_5'), 'sign'));
    const key = await subtle.importKey('jwk', plain(jwk), rsa('RSASSA-PKCS1-v1_5'), true, ['sign']);
    const { kty, n, e } = jwk;
    const open = await subtle.importKey('jwk', { kty, n, e }, rsa('RSASSA-PKCS1-v1_5'), true, ['verify']);
    return [hex(await subtle.sign('RSASSA-PKCS1-v1_5', key, text)), about(open), await nameOf(() => subtle.importKey('jwk', { ...plain(jwk), alg: 'RS512' }, rsa('RSASSA-PKCS1-v1_5'), true, ['sign']))];
  },
  async rsa_oaep() {
    const key = await privateKey(KEYS.rsa, rsa('RSA-OAEP'), 'decrypt');
    const found = [new TextDecoder().decode(await subtle.decrypt('RSA-OAEP', key, bytes(KEYS.rsa.oaep)))];
    for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
      const [open, closed] = [await publicKey(KEYS.rsa, rsa('RSA-OAEP', hash), 'encrypt'), await privateKey(KEYS.rsa, rsa('RSA-OAEP', hash), 'decrypt')];
      const sealed = await subtle.encrypt({ name: 'RSA-OAEP', label: text }, open, text);
      found.push(sealed.byteLength, hex(await subtle.decrypt({ name: 'RSA-OAEP', label: text }, closed, sealed)), await nameOf(() => subtle.decrypt('RSA-OAEP', closed, sealed)), await nameOf(() => subtle.encrypt('RSA-OAEP', open, new Uint8Array(300))));
    }
    return [found, about(key), await nameOf(() => subtle.sign('RSA-OAEP', key, text))];
  },
  async ecdsa_verifies() {
    const found = [];
    for (const [curve, key] of [['P-256', KEYS.p256], ['P-384', KEYS.p384], ['P-521', KEYS.p521]]) {
      const open = await publicKey(key, ec(curve), 'verify');
      const ofJwk = await subtle.importKey('jwk', { ...key.jwk, d: undefined }, ec(curve), true, ['verify']);
      for (const hash of ['SHA-256', 'SHA-512']) {
        const signature = bytes(key[hash.toLowerCase().replace('-', '')]);
        found.push(await subtle.verify({ name: 'ECDSA', hash }, open, signature, text), await subtle.verify({ name: 'ECDSA', hash }, ofJwk, signature, text), await subtle.verify({ name: 'ECDSA', hash }, open, signature, new Uint8Array()));
      }
      found.push(await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, open, new Uint8Array(5), text));
    }
    return found;
  },
  async ecdsa_there_and_back() {
    const found = [];
    for (const [curve, key] of [['P-256', KEYS.p256], ['P-384', KEYS.p384], ['P-521', KEYS.p521]]) {
      const [open, closed] = [await publicKey(key, ec(curve), 'verify'), await privateKey(key, ec(curve), 'sign')];
      for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
        const signature = await subtle.sign({ name: 'ECDSA', hash }, closed, text);
        found.push(signature.byteLength, await subtle.verify({ name: 'ECDSA', hash }, open, signature, text));
      }
    }
    return found;
  },
  async ecdsa_exports() {
    const found = [];
    for (const [curve, key] of [['P-256', KEYS.p256], ['P-384', KEYS.p384], ['P-521', KEYS.p521]]) {
      const closed = await subtle.importKey('jwk', key.jwk, ec(curve), true, ['sign']);
      const open = await publicKey(key, ec(curve), 'verify');
      found.push(hex(await subtle.exportKey('pkcs8', closed)), hex(await subtle.exportKey('spki', open)), hex(await subtle.exportKey('raw', open)), plain(await subtle.exportKey('jwk', closed)), plain(await subtle.exportKey('jwk', open)), about(closed));
    }
    return found;
  },
  async ecdsa_raw_points() {
    const raw = new Uint8Array(await subtle.exportKey('raw', await publicKey(KEYS.p256, ec('P-256'), 'verify')));
    const short = Uint8Array.from([2 + (raw[64] & 1), ...raw.slice(1, 33)]);
    const import_ = (point) => subtle.importKey('raw', point, ec('P-256'), true, ['verify']);
    return [hex(await subtle.exportKey('raw', await import_(raw))), hex(await subtle.exportKey('raw', await import_(short))), await names([new Uint8Array(65), raw.slice(1), new Uint8Array(), raw.map((byte, at) => (at === 40 ? byte ^ 1 : byte))].map((point) => () => import_(point)))];
  },
  async ecdsa_generates() {
    const pair = await subtle.generateKey(ec('P-384'), false, ['verify', 'sign']);
    return [about(pair.publicKey), about(pair.privateKey), lengths(await subtle.exportKey('jwk', pair.publicKey)), await names([
      () => subtle.exportKey('jwk', pair.privateKey), () => subtle.exportKey('pkcs8', pair.publicKey), () => subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, pair.publicKey, text),
      () => subtle.sign('HMAC', pair.privateKey, text), () => subtle.generateKey(ec('P-999'), true, ['sign']), () => subtle.generateKey(ec('P-256'), true, []),
      () => subtle.generateKey(ec('P-256'), true, ['verify']), () => subtle.generateKey(ec('P-256'), true, ['encrypt', 'sign']), () => subtle.sign({ name: 'ECDSA', hash: 'SHA-9' }, pair.privateKey, text),
    ])];
  },
  async ec_wrong_keys() {
    return names([
      () => subtle.importKey('spki', bytes(KEYS.p256.spki), ec('P-384'), true, ['verify']), () => subtle.importKey('pkcs8', bytes(KEYS.p256.spki), ec('P-256'), true, ['sign']),
      () => subtle.importKey('spki', new Uint8Array(9), ec('P-256'), true, ['verify']), () => subtle.importKey('pkcs8', bytes(KEYS.p256.pkcs8).slice(0, -1), ec('P-256'), true, ['sign']),
      () => subtle.importKey('pkcs8', bytes(KEYS.rsa.pkcs8), ec('P-256'), true, ['sign']), () => subtle.importKey('pkcs8', bytes(KEYS.p256.pkcs8), rsa('RSA-PSS'), true, ['sign']),
      () => subtle.importKey('jwk', { ...KEYS.p256.jwk, x: 'AAAA' }, ec('P-256'), true, ['sign']),
      () => subtle.importKey('jwk', { ...KEYS.p256.jwk, kty: 'RSA' }, ec('P-256'), true, ['sign']), () => subtle.importKey('foo', new Uint8Array(9), ec('P-256'), true, ['verify']),
      () => subtle.importKey('pkcs8', bytes(KEYS.p256.pkcs8), ec('P-256'), true, ['verify']), () => subtle.importKey('pkcs8', bytes(KEYS.p256.pkcs8), ec('P-256'), true, []),
    ]);
  },
  async ed25519_signs() {
    const closed = await privateKey(KEYS.ed25519, 'Ed25519', 'sign');
    const open = await publicKey(KEYS.ed25519, { name: 'ed25519' }, 'verify');
    return [hex(await subtle.sign('Ed25519', closed, text)), await subtle.verify('Ed25519', open, bytes(KEYS.ed25519.signature), text), await subtle.verify('Ed25519', open, bytes(KEYS.ed25519.signature), new Uint8Array(2)), await nameOf(() => subtle.verify('Ed25519', open, new Uint8Array(3), text)), about(closed), about(open)];
  },
  async ed25519_exports() {
    const closed = await subtle.importKey('jwk', KEYS.ed25519.jwk, 'Ed25519', true, ['sign']);
    const open = await publicKey(KEYS.ed25519, 'Ed25519', 'verify');
    return [hex(await subtle.exportKey('pkcs8', closed)), hex(await subtle.exportKey('spki', open)), hex(await subtle.exportKey('raw', open)), plain(await subtle.exportKey('jwk', closed)), plain(await subtle.exportKey('jwk', open)), await names([
      () => subtle.importKey('raw', new Uint8Array(31), 'Ed25519', true, ['verify']), () => subtle.exportKey('raw', closed)])];
  },
  async ed25519_generates() {
    const pair = await subtle.generateKey('Ed25519', true, ['sign', 'verify']);
    return [await subtle.verify('Ed25519', pair.publicKey, await subtle.sign('Ed25519', pair.privateKey, text), text), about(pair.privateKey), lengths(await subtle.exportKey('jwk', pair.privateKey)), (await subtle.exportKey('pkcs8', pair.privateKey)).byteLength];
  },
  async node_ed25519() {
    const pair = await subtle.generateKey({ name: 'NODE-ED25519', namedCurve: 'NODE-ED25519' }, true, ['sign', 'verify']);
    return subtle.verify('NODE-ED25519', pair.publicKey, await subtle.sign('NODE-ED25519', pair.privateKey, text), text);
  },
  async rfc8032_vector() {
    const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    const key = await subtle.importKey('pkcs8', fromHex(`302e020100300506032b657004220420${seed}`), 'Ed25519', true, ['sign']);
    return [hex(await subtle.sign('Ed25519', key, new Uint8Array())), (await subtle.exportKey('jwk', key)).x];
  },
};

const agreements = {
  async ecdh_there_and_back() {
    const found = [];
    for (const curve of ['P-256', 'P-384', 'P-521']) {
      const [one, two] = [await subtle.generateKey(ec(curve, 'ECDH'), true, ['deriveBits']), await subtle.generateKey(ec(curve, 'ECDH'), true, ['deriveBits'])];
      const [left, right] = [await subtle.deriveBits({ name: 'ECDH', public: two.publicKey }, one.privateKey, null), await subtle.deriveBits({ name: 'ECDH', public: one.publicKey }, two.privateKey, null)];
      found.push(hex(left) === hex(right), left.byteLength, about(one.publicKey), about(one.privateKey));
    }
    return found;
  },
  async ecdh_lengths() {
    const mine = await privateKey(KEYS.p256, ec('P-256', 'ECDH'), 'deriveBits');
    const its = await publicKey(KEYS.p256, ec('P-256', 'ECDH'));
    const other = await publicKey(KEYS.p384, ec('P-384', 'ECDH'));
    const bits = (count, key = its) => subtle.deriveBits({ name: 'ECDH', public: key }, mine, count);
    return [hex(await bits(256)), hex(await bits(128)), hex(await bits(null)), hex(await bits(12)), await names([() => bits(264), () => bits(256, other), () => bits(256, mine), () => subtle.deriveBits({ name: 'ECDH', public: its }, its, 256)])];
  },
  async ecdh_derives_a_key() {
    const mine = await privateKey(KEYS.p256, ec('P-256', 'ECDH'), 'deriveKey');
    const key = await subtle.deriveKey({ name: 'ECDH', public: await publicKey(KEYS.p256, ec('P-256', 'ECDH')) }, mine, { name: 'AES-CBC', length: 256 }, true, ['encrypt']);
    return [hex(await subtle.exportKey('raw', key)), about(key)];
  },
  async x25519_agrees() {
    const secretOf = async (mine, its) => hex(await subtle.deriveBits({ name: 'X25519', public: await publicKey(its, 'X25519') }, await privateKey(mine, 'X25519', 'deriveBits'), 256));
    return [await secretOf(KEYS.x25519one, KEYS.x25519two), await secretOf(KEYS.x25519two, KEYS.x25519one)];
  },
  async x25519_exports() {
    const closed = await privateKey(KEYS.x25519one, 'X25519', 'deriveKey');
    const pair = await subtle.generateKey('X25519', true, ['deriveBits', 'deriveKey']);
    return [plain(await subtle.exportKey('jwk', closed)), hex(await subtle.exportKey('pkcs8', closed)), lengths(await subtle.exportKey('jwk', pair.publicKey)), about(pair.publicKey), (await subtle.exportKey('raw', pair.publicKey)).byteLength];
  },
  async rfc7748_vector() {
    const key = (digits) => subtle.importKey('pkcs8', fromHex(`302e020100300506032b656e04220420${digits}`), 'X25519', true, ['deriveBits']);
    const mine = await key('77076d0a7318a57d3c16c17251b26645c6d9ff6b2a5a2ce1e0b1e2d7b7f5a0a5'.slice(0, 64));
    const its = await subtle.importKey('raw', fromHex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'), 'X25519', true, []);
    return subtle.deriveBits({ name: 'X25519', public: its }, mine, 256);
  },
  async pbkdf2_vector() {
    const key = await subtle.importKey('raw', encoder.encode('password'), 'PBKDF2', false, ['deriveBits']);
    const of = (hash, iterations, bits) => subtle.deriveBits({ name: 'PBKDF2', hash, salt: encoder.encode('salt'), iterations }, key, bits);
    return [hex(await of('SHA-1', 2, 160)), hex(await of('SHA-256', 1000, 256)), hex(await of('SHA-512', 3, 1024)), await names([() => of('SHA-256', 0, 256), () => of('SHA-256', 1, 7), () => of('SHA-256', 1, null), () => of('SHA-9', 1, 256)])];
  },
  async hkdf_vector() {
    const key = await subtle.importKey('raw', new Uint8Array(22).fill(11), 'HKDF', false, ['deriveBits', 'deriveKey']);
    const parameters = { name: 'HKDF', hash: 'SHA-256', salt: fromHex('000102030405060708090a0b0c'), info: fromHex('f0f1f2f3f4f5f6f7f8f9') };
    const derived = await subtle.deriveKey(parameters, key, { name: 'HMAC', hash: 'SHA-1' }, true, ['sign']);
    return [hex(await subtle.deriveBits(parameters, key, 336)), about(derived), hex(await subtle.exportKey('raw', derived)), await names([() => subtle.deriveBits(parameters, key, 7), () => subtle.deriveBits(parameters, key, 256 * 8 * 32), () => subtle.importKey('raw', new Uint8Array(3), 'HKDF', true, ['deriveBits'])])];
  },
};

const ciphers = {
  async aes_cbc() {
    const key = await secret(KEY, 'AES-CBC', 'encrypt', 'decrypt');
    const iv = fromHex(KEY);
    const sealed = await subtle.encrypt({ name: 'AES-CBC', iv }, key, text);
    const changed = new Uint8Array(sealed.slice());
    changed[15] ^= 1;
    return [hex(sealed), hex(await subtle.encrypt({ name: 'AES-CBC', iv }, key, new Uint8Array(32))), hex(await subtle.decrypt({ name: 'AES-CBC', iv }, key, sealed)), await names([
      () => subtle.decrypt({ name: 'AES-CBC', iv }, key, new Uint8Array(10)), () => subtle.decrypt({ name: 'AES-CBC', iv }, key, new Uint8Array()), () => subtle.encrypt({ name: 'AES-CBC', iv: new Uint8Array(12) }, key, text), () => subtle.decrypt({ name: 'AES-CBC', iv }, key, changed)])];
  },
  async aes_192() {
    const found = [];
    for (const [name, more] of [['AES-CBC', { iv: fromHex(KEY) }], ['AES-CTR', { counter: fromHex(KEY), length: 64 }], ['AES-GCM', { iv: fromHex(KEY).slice(0, 12) }]]) {
      const key = await secret(LONG.slice(0, 48), name, 'encrypt', 'decrypt');
      const sealed = await subtle.encrypt({ name, ...more }, key, text);
      found.push(hex(sealed), hex(await subtle.decrypt({ name, ...more }, key, sealed)));
    }
    return found;
  },
  async aes_ctr() {
    const key = await secret(LONG, 'AES-CTR', 'encrypt', 'decrypt');
    const counter = new Uint8Array(16).fill(255);
    const found = [];
    for (const length of [1, 8, 9, 33, 64, 127, 128]) found.push(hex(await subtle.encrypt({ name: 'AES-CTR', counter, length }, key, new Uint8Array(length === 1 ? 32 : 50))));
    return [found, await names([0, 129, 1].map((length) => () => subtle.encrypt({ name: 'AES-CTR', counter, length }, key, new Uint8Array(33)))), await nameOf(() => subtle.encrypt({ name: 'AES-CTR', counter: new Uint8Array(15), length: 8 }, key, text))];
  },
  async aes_gcm_tags() {
    const key = await secret(KEY, 'AES-GCM', 'encrypt', 'decrypt');
    const found = [];
    for (const tagLength of [32, 64, 96, 104, 112, 120, 128]) {
      const parameters = { name: 'AES-GCM', iv: new Uint8Array(12), tagLength, additionalData: fromHex('abcd') };
      const sealed = await subtle.encrypt(parameters, key, text);
      const changed = new Uint8Array(sealed.slice());
      changed[0] ^= 1;
      found.push(hex(sealed), hex(await subtle.decrypt(parameters, key, sealed)), await nameOf(() => subtle.decrypt(parameters, key, changed)));
    }
    return found;
  },
  async aes_gcm_ivs() {
    const key = await secret(LONG, 'AES-GCM', 'encrypt', 'decrypt');
    const found = [];
    for (const size of [1, 8, 12, 16, 17, 60]) {
      const parameters = { name: 'AES-GCM', iv: new Uint8Array(size).fill(size), additionalData: new Uint8Array(20) };
      const sealed = await subtle.encrypt(parameters, key, new Uint8Array(40));
      found.push(hex(sealed), hex(await subtle.decrypt(parameters, key, sealed)));
    }
    return [found, await names([() => subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array() }, key, text), () => subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12), tagLength: 100 }, key, text), () => subtle.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, key, new Uint8Array(3))])];
  },
  async aes_keys() {
    const found = [];
    for (const name of ['AES-CBC', 'AES-CTR', 'AES-GCM', 'AES-KW']) {
      const key = await subtle.generateKey({ name, length: 256 }, true, name === 'AES-KW' ? ['unwrapKey', 'wrapKey'] : ['decrypt', 'encrypt']);
      found.push(about(key), lengths(await subtle.exportKey('jwk', key)));
    }
    return found;
  },
  aes_wrong_keys: () => names([
    () => subtle.importKey('raw', new Uint8Array(15), 'AES-GCM', true, ['encrypt']), () => subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', true, ['sign']),
    () => subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', true, []), () => subtle.importKey('spki', new Uint8Array(16), 'AES-GCM', true, ['encrypt']),
    () => subtle.importKey('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', alg: 'A256GCM' }, 'AES-GCM', true, ['encrypt']), () => subtle.importKey('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', use: 'sig' }, 'AES-GCM', true, ['encrypt']),
    () => subtle.importKey('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', ext: false }, 'AES-GCM', true, ['encrypt']), () => subtle.importKey('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', key_ops: ['decrypt'] }, 'AES-GCM', true, ['encrypt']),
    () => subtle.importKey('jwk', { kty: 'EC' }, 'AES-GCM', true, ['encrypt']), () => subtle.generateKey({ name: 'AES-GCM', length: 100 }, true, ['encrypt']), () => subtle.generateKey({ name: 'AES-XYZ', length: 128 }, true, ['encrypt']),
  ]),
  async aes_kw_vector() {
    const wrapping = await secret(KEY, 'AES-KW', 'wrapKey', 'unwrapKey');
    const key = await subtle.importKey('raw', fromHex('00112233445566778899aabbccddeeff'), 'AES-GCM', true, ['encrypt']);
    const wrapped = await subtle.wrapKey('raw', key, wrapping, 'AES-KW');
    const back = await subtle.unwrapKey('raw', wrapped, wrapping, 'AES-KW', 'AES-GCM', true, ['decrypt']);
    const changed = new Uint8Array(wrapped.slice());
    changed[3] ^= 1;
    return [hex(wrapped), hex(await subtle.exportKey('raw', back)), about(back), await names([
      () => subtle.unwrapKey('raw', changed, wrapping, 'AES-KW', 'AES-GCM', true, ['decrypt']), () => subtle.unwrapKey('raw', new Uint8Array(4), wrapping, 'AES-KW', 'AES-GCM', true, ['decrypt']), () => subtle.encrypt('AES-KW', wrapping, text)])];
  },
  async wraps_by_encryption() {
    const key = await secret(LONG, { name: 'HMAC', hash: 'SHA-256' }, 'sign');
    const wrapping = await secret(KEY, 'AES-GCM', 'wrapKey', 'unwrapKey');
    const parameters = { name: 'AES-GCM', iv: new Uint8Array(12) };
    const [raw, jwk] = [await subtle.wrapKey('raw', key, wrapping, parameters), await subtle.wrapKey('jwk', key, wrapping, parameters)];
    const back = await subtle.unwrapKey('jwk', jwk, wrapping, parameters, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return [hex(raw), about(back), hex(await subtle.sign('HMAC', back, text)), await names([() => subtle.encrypt(parameters, wrapping, text), () => subtle.unwrapKey('jwk', raw, wrapping, parameters, 'AES-GCM', true, ['encrypt'])])];
  },
  async wraps_a_private_key() {
    const wrapping = await secret(LONG, 'AES-CBC', 'wrapKey', 'unwrapKey');
    const parameters = { name: 'AES-CBC', iv: new Uint8Array(16) };
    const wrapped = await subtle.wrapKey('pkcs8', await privateKey(KEYS.p256, ec('P-256'), 'sign'), wrapping, parameters);
    return [hex(wrapped), about(await subtle.unwrapKey('pkcs8', wrapped, wrapping, parameters, ec('P-256'), false, ['sign']))];
  },
  async wraps_by_rsa() {
    const open = await publicKey(KEYS.rsa, rsa('RSA-OAEP'), 'wrapKey');
    const closed = await privateKey(KEYS.rsa, rsa('RSA-OAEP'), 'unwrapKey');
    const wrapped = await subtle.wrapKey('raw', await secret(KEY, 'AES-CTR', 'encrypt'), open, 'RSA-OAEP');
    return [about(open), hex(await subtle.exportKey('raw', await subtle.unwrapKey('raw', wrapped, closed, 'RSA-OAEP', 'AES-CTR', true, ['encrypt'])))];
  },
};

const sums = {
  digests: async () => Promise.all(['MD5', 'sha-1', 'SHA-256', { name: 'SHA-384' }, 'SHA-512'].map(async (name) => hex(await subtle.digest(name, text)))),
  digest_unknown: () => names(['SHA-224', 'SHA3-256', '', undefined].map((name) => () => subtle.digest(name, text))),
  async hmac() {
    const found = [];
    for (const hash of ['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
      const key = await subtle.importKey('raw', new Uint8Array(200).fill(170), { name: 'HMAC', hash }, true, ['sign', 'verify']);
      const signature = await subtle.sign('HMAC', key, text);
      found.push(hex(signature), await subtle.verify('HMAC', key, signature, text), await subtle.verify('HMAC', key, new Uint8Array(3), text));
    }
    return found;
  },
  async hmac_keys() {
    const key = await subtle.generateKey({ name: 'HMAC', hash: 'SHA-384' }, true, ['verify', 'sign']);
    return [about(key), lengths(await subtle.exportKey('jwk', key)), about(await subtle.generateKey({ name: 'HMAC', hash: 'SHA-1', length: 256 }, false, ['sign'])), await names([
      () => subtle.importKey('raw', new Uint8Array(), { name: 'HMAC', hash: 'SHA-1' }, true, ['sign']), () => subtle.generateKey({ name: 'HMAC', hash: 'SHA-1', length: 0 }, true, ['sign']), () => subtle.importKey('raw', new Uint8Array(4), { name: 'HMAC' }, true, ['sign'])])];
  },
  async digest_stream() {
    const stream = new crypto.DigestStream('SHA-256');
    const writer = stream.getWriter();
    await writer.write(text);
    await writer.write('text');
    await writer.close();
    return [hex(await stream.digest), String(stream.bytesWritten), stream instanceof WritableStream, Object.prototype.toString.call(stream)];
  },
  async digest_stream_of_a_pipe() {
    const stream = new crypto.DigestStream('MD5');
    await new Blob(['signed ', 'text']).stream().pipeTo(stream);
    return hex(await stream.digest);
  },
  async digest_stream_aborted() {
    const stream = new crypto.DigestStream('SHA-1');
    await stream.getWriter().abort(new RangeError('away'));
    return nameOf(() => stream.digest);
  },
  digest_stream_unknown: () => nameOf(() => new crypto.DigestStream('SHA-9')),
  timing_safe_equal: () => [subtle.timingSafeEqual(text, text.slice()), subtle.timingSafeEqual(text, encoder.encode('signed texT'))],
  timing_safe_equal_lengths: () => nameOf(() => subtle.timingSafeEqual(text, new Uint8Array(2))),
  async key_objects() {
    const key = await secret(KEY, 'AES-GCM', 'encrypt');
    return [Object.prototype.toString.call(key), key instanceof CryptoKey, Object.keys(key), Object.prototype.toString.call(subtle), await names([() => new CryptoKey(), () => structuredClone(key), () => subtle.exportKey('raw', {})])];
  },
};

const cases = { ...signatures, ...agreements, ...ciphers, ...sums };

export class Cases extends DurableObject {}

export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === 'names') return Response.json(Object.keys(cases));
    return Response.json(Object.hasOwn(cases, name) ? await shown(cases[name]) : { missing: name });
  },
};
