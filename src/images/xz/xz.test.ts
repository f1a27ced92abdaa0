import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStorage } from "../../../test/support/memory-images.ts";
import { ImageError } from "../error.ts";
import { unxz } from "./xz.ts";

/** Two streams, with CRC-32 and CRC-64, of other properties each: xz's own output. */
const PACKED = Buffer.from(
  [
    "/Td6WFoAAAFpIt42AgAhAQAAAAA3J5fW4CRTCWc4AABn/s/+Rfi/Mp1uMcyY6I8ENyKsqrSsH5q/2tuzqXmqhz4o/V2jk+F+nyV4FBoLqHImQQ",
    "UYnSQnYtdGBrmuv0x68F2R+FvjYckCvA3CmQIvM7dM1mpfQxlt6+kcAvdKQ653I2NyWpLbtTv7VvTEukLMs8cc9FyrAwcOZWkjl3Rf62AoiWa8",
    "nYLKa9ukojlofZP19sbyQqS/kiUmXYrdzb2UVFBAF7Am8LNS4kPi+7WN8Jqxre7KBFOaKM0IuJykIKqklaFVsvQFrRKjfoO00QyMvEtrAtDaqS",
    "HulgWxThOfjDhmfE4ZKRlMlCev36nC1ISy4dq0W1GuDhYDvoN7vLxNLHUit7bSmNVsPdU3bkz11OoFoWwKvcgFjjYKhpZq5ppgM8/DAU8LYQ1N",
    "Q1Z98J+bE/M2VCsuy3uGFW4ob2tizFy2ST1435cjGZt34cdHYDLmwEvzivzOM4WGnHHStwGFEq74IbbshqiBFIgUD6v0FJWM7ztF+ZwlNDvbup",
    "DdsvH6SCRrAyiHsCqrua1KuZGWV3IzMurk1pnNTbu9gdLfllMiKqlgdGQV+4749mZOeL+hP8jibYIqc0ilZy8wygJ9H4w+euTJBvYg+zJJeKbI",
    "pzlnlV4Eg03PCxg/fp63fJugYlBJlwxHLGFwQuw/BDfaG69FXcJdOqSwocgl0YYvl+q5rGeCYtgLJElCJh4TY1kOj99WFW4kv67Vz9FE3UQ6ew",
    "jMhBTVQTsw+mcetijhKv9eOiKGeWVqfsSfI0Ysq0zTrGHCTpDaN5NLwGOSzsAc5jQiOe+D26XvZRihwyh7trYItnDyMZkC1yHwY22Up1rWPNu2",
    "X6E4vUX+2FQspZt3vxx8xXkRMLsozZtC53XuzL14NjumaHfL45JFNcJaZvQK844KHPY0CojGZthDDLpPRr8EZU28/99quAlTXKST4nwgziAeJv",
    "m//TGBr1kyz1lbM/uFI/AshIHGTO3cnq7sORnPwl/YUTIiQjZgToM5yzOtl0YPZdHJU1zkKNYLFnhqqsXhdeQWr2Wuq3GeoM51DgUnyKS1nFqW",
    "zDIrl/i2QkT/ehykIm+Gl8YnDJa2z52cac9IUaY821q7YB2HR7qbgqaauFLoww5RN3Zz3ZAUXFRLYK3x7em6wAowHlzXQzUFL/aPJD+1SniQHg",
    "+ddpOPAu7FLDCD5HHXpnGpWTYosrxX2rwtWo6WASkanxybgId0r/kPv2q2UY0yK4OIgtD9ApTqFJJ/UCkUzTZ6AuleFJINeZg/Jc33BgXePTSm",
    "r8oUTua9vAgwt7h692UVEOQ52c5O5yyRawH57iN8KHU7RUcrQ3Ns5m3VIizC2o7dirqnnfkTBCqm8+OwiApGUkIbSWIJqZQHdm1zd5YHdgZjAw",
    "CcdCKeWp4VmUrGkGBs14pwSjaUeh/PTy39ryGXYy2tM0ihmZrXahY1TLd8rwQt5oMUDNcThML0sAiu/CWsiEJDyTBhepOwAOQmRItzLgKDTHjE",
    "VYO5sW1aVT9TpnSObHpcTnJ+kWbrvg4n9MJBtVZScuBwzHiLnOqExKxJtjXiArmbRvQoFNwg5D84mG08rq9ngW4at5Rp7n4IWCCgl27lJqwAMX",
    "gR5GsBQPjOab29tR1MHgS94aCsbfSA1TVhIwmWPtr0D95J9+iKXYcnRBXLUK0da/jcJ9pszW3vLI8uORByGa2fDOJaxcPVpKOqr+cY1ZmxOoRH",
    "g+mduj6w0RrxqDt3WRHbo7Ct6Zzf0jLMyJuCh3+VlGlfKYAaEeCiyLwf8jpQaUMlJR85O5b3t6FoXb5k/+67OEzNk0cExGKtYFlSH/YtqbXIOL",
    "HisC+xcItCraSPknjeBAmlRaRIHSkc/Bl5sONqBYY+pBC11utU8Zwr8TB1GBHdS9qNS8e/EUcbJZfHsi0Dq9e9/gIyAliLH/2XiJrbOfCFDb/l",
    "ofPeb7Pr0w4UzTeWQNNe5pOvrIm+1cq/NUzBPngaoso14miTrrkNFzCSd3g1jx0qgmPciDcTttn1KWKFrAygSRiMX3Y3zzSSX2GQJ1D00ouekx",
    "UKZwBWKqWnaIWpdL4ge9T9/OIujbosjekVlNQrIo1oyGd7JsbxDF8jQcrMNUQ6bJMZdAnoNqGllYvGfBlST1SghVsjw4eg7+8JbDr0hQYFBcsf",
    "Gd4S/pQscws67i8kOptghPAwVfENj+tYPv8rcU/DvKuv5Zjwoygx2yWrG9UHwoZQaxue0N84SyHdpygLPoU9E32TA4V6TKrn97yRfDezvdOJOo",
    "ujJLuBS13zHvhCcvmGi8iasP3XD+NzoP0JFwnmmIciM6TrsoAE0JdOyz3+CcoMGBH6K7x1pbChWnr6vr3ECZAJZOIpqGQoNj8KwPYL95F/xy64",
    "YkJYDHZfWLHsUpe6SQYiGNL18bJ1mOF1drNeArGWNXUNi3xU32LA87uXEmOnu5VTIPi1KzqdBmtPtysm9VyLZ5wrZh3I6O6bJ1QqfJJhmGnccg",
    "WLmMTnn8SkNeACrQdRRiNpH+Q/Rg2dUK3nZFlW9OPqjX1vI2IxLZN0jLwlIki4SkdauXe0SUiASm+M/OwSN69EP3Boj6r3JcwRCCzoH5NSuty4",
    "lMbovP6LPjEAyWrc3KhpbZOUmEqnGWBL1CFgU9QoHwEhQ81+qF5pb2bpeIi5lbkwlvJBAVPwAKjM8qEmxCIUcuQjY8ZhTbmC8XYm8sgHCop+1+",
    "NS6YrgAcbocjQ5HiEm254IrRM8HBifg82H+74YwC+5xQNsT1gL6CS83rO48/cB3iG2qtEm+yM9S0WqP0Z94mS9Fptzqqii7sDj/UGO6oTvNLlw",
    "z8bXKeFVWZNj/a/qcqRWGn3CS5wwVn2mzUm3qXDKzEAzKxsgeCqpS2tWsIegGP0zSNYoNvKOasug1dPx8PrznMXqbY2isINALj1PiiOiMaepV+",
    "WZ+eDeGBCeJ6M0akFNX3RZ99TSlfLZf74HYAIOG51YThQmuibApMbvDp/YjyyThgh7tBCXVGT8tgQjmNvwPEQuHkYmdsbX/FJ0T3JYVjTBYX3V",
    "9WDPdZ8myb4ha+4EBhXZKnq52B31qsR/jyMA5zaDt3qEkbQjiZJ5vfV/YQgCxzBT8uw1fAKNSH/eE8IZ3RCMueL92fJ1Mbf1bxdt3gIi9tcI4M",
    "oXnryRDlRLRsifDv/b8Kz6Mhppijz6KL98UVpdRNXdTNjf918p75pmActo6zsAAPURxYIAAf8S1EgAAEVJDuo+MA2LAgAAAAABWVr9N3pYWgAA",
    "BObWtEYCACEBCAAAANgPIxPgJFMJDF0AAGf+z/5F+UqVhvxNW+fTToM8lTQEPrI0lGUvVUei+Rn0R0A8PSzSMJVsEdXkILSMMtTrUQLdhBMj9H",
    "srYvNsNn/kyvMphiwjMldjbaNN9e09GEUEQ6APWw0I2I1AvukjTj8Kdah2cMA2oN++eV8IbHAwVn/Stwwi0H8U+LnzaLuoBe70Ec7fFI2UTZUP",
    "FcLGYxwHrPNOPkOe3dG86zDU6/lIlc+9R3HMUcxfmnXmfhpk48qP7G6EqZK2BnQlqxZ5yTbzKF8ngmOsaAgj1RY6You6kU0BFQgn7MpqatU8v0",
    "HwzioF2OhQz2xToaQWD76ttsuDEqzY8AGudTLlNLSr/jh1Yrj5hoh3YpnR8eOgH0F5ASqPJTtBBvRtPgypcTwOWC6EtpdAX6xN8UT+UO2exzZB",
    "IPnWR2Bnzx7Uto8ALKFKXsNw8e8018aQO6hInW2yFrPDY53ktMuT2zOaXUY1ecwfU9deL7cvZV8HSqfY/JNPEUA3RNSlDSzK/7E+qbg30N0j0V",
    "WE8KxCgh82PBD8bLElsZfi7IgB13gAZSWmu4e3phNvGq64UDmoOtbmshe0xicepcAYkosqbryepm88rTeca/zKmz8+4YAXCBkShSPT4yawJ38g",
    "/1wB3sUNd/UPidW916Xd2DRrUdWGC5oDpYrHGbmUP7kdI6wdz26hfnsDeAcS4JKafdWYZevtGfXI7QB59t1zVqYesZZL6TVx6Gk8jwAjbl4r4I",
    "eFULM9+NMc2VTpR3ZXWV+eP98UmO08LiLvwF19mmIWgvDs6vizYrZy8x2MmMjwIpZMfQ5uXp8/RzxOHzim8PLwvVzYwj8fx8ipGcn15p/1dWqm",
    "9wjqliCrsvSEtCmiT9ox91pj/QBbxO4VT2dH7gyJedmFqxCMihMaFIkhyfi4a5DmWZAaUjHGXyeHDkcbTa6DAXmMXPNvz7dOLhTl+pi136lYQz",
    "lFdO5pOJQyDhYHcE5gi6nXXQrRmhuKuKjp0UIjrLZ66zY281klbhtG9MsOVeUMzZduYGSsL2WNie8mTcDTHg914fAgPC/oCeHoVdvmeDM9R8ZG",
    "gwsVoo3VhubfoSPu+QAfFFNm8KlaIn6zZv00b2SR+/zleOotjfKeaePSqbCJQ6zlWnnJk950jXADu/7l2Gu3PdBMPkU6FcZbukta9LUVkVxpl2",
    "9yyeqy4hnifFR2QRyglOLZvUHGgwoKiQpVbCt3EvFSIu55eEJuoTcOPRCWyuubboOBqDZ1cAfS2OfKdifc9GrKL3V4s1nT5Xcrb6+SmG13Y4+S",
    "yi6/OcIhmty1Q60jirKsbjz4CV8hdE4lgd6PqRtgwyr1sjXOmdV3CeJAv3LTph6lvvtFI6I6+fvxRNTwwyPoCff2ht1IF1MX709IrqO+159YX7",
    "aIbEk1jlqNMZXHJA19afeWrab/A8nNaApsZIDQQQ47ONGUZRZ8k5g9xMxwGOBXuScIcEdYFSWqQ0D33OtzC7Jf5dau6uQJdb3BsTpJ8Q12bPk0",
    "u014p5fmjSQPBn3eKdI2OXLXnewTsL2eZI28xgOcWsgF1kCSBpRvEA0hcfpCc/b6Rdrtf/R8NiJWTvZf4jODhrAgoPuXxBUOsK+WOpn/oHzFtP",
    "hiJo7KGJi1aqxrWkQ3UN29ZuBeYb/yXxL0MsfhOQX2hHBZOj9GIeYBTmCv6OYAdkm4JR16eYIsHhu0oMNXmS0b2dxnYxjEW4D0OOgoENpM5Kn9",
    "K41wYZdZDzRv0YumztqihVbMqfrRxR13Ay78rJ+uOcRQQU+Cp8p189rj8nIvdV0SAcrGyy+IvnI7+j1721N/sXBLUjOnmlPRu9Y1cFDx5CbQDG",
    "NtG6S4hnxxxQmbM3WjzzjRfZK/0qsSX2bnm07ffXAyc1UPr3gUqFzWjRY6BbzfVVt2w2cI7zgtkZ2u4/PLF4eqXggY9Bkwvfmq/828spi0iImr",
    "KZqbTsnLb7R8dcNpum+SvB7Ukhu6HE+sDyOomfgwLf0VHbxYUdq5xidc+7yNTMNsLThTzmqsYB/V+McA8wAkPCN5i0gg+h4V/B7ldrRB/RzQli",
    "CHrpbH67eb0/k+hTmETCxu3jrOBOEsO0vEr0kBEk3lsOjB+pcDM/syqq6c6ErfJrIPUt079oj/ZTe46cnNpPTmcaGMgO1xBBZxudehlofRXK4F",
    "mugcijk9f9BDTBpNyJ0nAXqc6cjmNBNusEuhFXpFtg1Dsei7w5VT0ERbvRitGEEsDFMjA1CJvC2y2+s2euIw5Lie5VNXnJtkYmmhVNPBN0rPMN",
    "+qLlmvD1coUx5jzYBXP9SdJb4byfA5ptQIYdyMwCX6tKdg+KJoocQORjoSVSAwiefW2fWiRwiYlBuijtEVwFxQADaiszddErfqEYmpqamz4XR/",
    "8ixog61hEBABqG97SMZWb+hFkOAIQVnLH/mgNBNZ9naKku4ZwPW83Jk99xwm0kWLRohAOOliQow7s75Cxu5bXbtTUJ7bHgw5pzd+8uqF/SpJzP",
    "OEgLCdkjymy9lRNfBK6sGLvaiQfp+/i+jB6c+keThu5dHhSNPDsKm2z9lvHD/GAQl/a0qZovBjy9EniREtlLyuJTG9QY7Cr+26/c++XpAEKWHq",
    "4IUStzxCURak/WEySxrj9H/VRRdx7f9kB8XMFhmmZOOBrqYdMGWhRyAtkPAS/GuUcN8Q/9cO7bsDeyQEVlh27CRg07czplr5gKwl/tXBZ6JWp8",
    "YOeUOF9uU4fYSXkYBnBoypg9K0ldnT65XDvgSZs9FOUUtWBTJZfvogddTy0OT+kUuD2iQcE+SO3t6FzgezxOfJdNxvSxcxNM/rOF02RxFnMOFn",
    "LTb8X4KmTmEf1KRPd0XaSneVvqV+LfqMu7ONa5CNe4F0lpktEsOPhdCNFa3dayooLper95LQQyl4oaCmutjHkbUGFVDxG2dnOqhhA9Gty1DZzQ",
    "QKJIn6GcVJ+qZ//oFuFSYKjUaN3Sx9lHLIgYJqhoaQZZTkriuSftNK5FiQjcModNVwKLDVU/fcVsx4dqAs1cZhQKwDVbHOALMb3jFjsw8yP1yu",
    "Lcu9xAExY5BqwUVCjt3GpIJHO+zXqDFYYR3qV/baANMPNpem60+WAAGoEtRIAAAKcYX7scRn+wIAAAAABFla",
  ].join(""),
  "base64",
);

/** What is in each of them. */
const PLAIN = Buffer.concat([
  Buffer.from(Array.from({ length: 1500 }, (_, i) => [(i * i) % 251, i % 7, Math.floor(i / 13) % 256]).flat()),
  Buffer.from("The quick brown fox jumps over the lazy dog. ".repeat(40)),
  Buffer.alloc(3000),
]);

function unpack(bytes: Uint8Array): Buffer {
  const pieces: Buffer[] = [];
  for (const piece of unxz(new MemoryStorage("a.xz", bytes))) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

test("streams of xz, one after the other and with zeros between, are decompressed", () => {
  const twice = Buffer.concat([PLAIN, PLAIN]);
  assert.ok(unpack(PACKED).equals(twice));
  assert.ok(unpack(Buffer.concat([PACKED, Buffer.alloc(8), PACKED])).equals(Buffer.concat([twice, twice])));
});

test("any byte that is changed, and any cut, gives an error and nothing else", () => {
  for (let at = 0; at < PACKED.length; at += 3) {
    for (const bit of [1, 0x80]) {
      const bytes = Buffer.from(PACKED);
      bytes[at] = (bytes[at] as number) ^ bit;
      try {
        // Sizes that only an index or a footer has are not looked at.
        assert.ok(unpack(bytes).equals(Buffer.concat([PLAIN, PLAIN])), `byte ${at}`);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
      }
    }
  }
  for (let length = 1; length < PACKED.length; length += 7) {
    try {
      const found = unpack(PACKED.subarray(0, length));
      assert.ok(found.equals(PLAIN), `${length} bytes`);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
});
