/** Emoji that people use most, in groups: faces, hands, hearts, people and animals, food, things, places, signs. */
const GROUPS = [
  '😀 😃 😄 😁 😆 😅 😂 🤣 🙂 😉 😊 😇 🥰 😍 😘 😋 😛 😜 🤪 🤗 🤭 🤫 🤔 😐 😏 😒 🙄 😬 😌 😔 😴 😷 🤒 🥵 🥶 😵 🤯 🥳 😎 🤓 😕 🙁 😮 😳 🥺 😢 😭 😱 😤 😡 🤬 💀',
  '👍 👎 👌 ✌️ 🤞 🤙 👋 👏 🙌 🙏 💪 👀 🤝 ✍️ 👆 👇 👈 👉 ☝️ 🤷 🤦 🙋',
  '❤️ 🧡 💛 💚 💙 💜 🖤 🤍 💔 💕 💖 💯 💥 ✨ ⭐ 🔥',
  '👶 👧 👦 👩 👨 👵 👴 🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐸 🐵 🐔 🐦 🐢 🐟 🐝 🦋 🌹 🌻 🌳 🌴',
  '🍎 🍌 🍓 🍍 🥑 🍞 🧀 🍕 🍔 🌮 🍝 🍰 🍫 🍿 ☕ 🍺 🍷 🥂',
  '⚽ 🏀 🎾 🎮 🎲 🎸 🎵 🎬 🎁 🎉 🎂 📷 💻 📱 🔋 💡 📚 ✏️ 📎 📌 🔒 🔑 ⏰ 💰',
  '🏠 🏥 🏫 🚗 🚌 🚲 ✈️ 🚀 🏖️ ⛰️ 🌍 ☀️ 🌙 ☁️ 🌧️ ⚡ ❄️ 🌈',
  '✅ ❌ ❓ ❗ ⚠️ 🚫 ➕ ➖ ➡️ ⬅️ 🔄 💬 🆗 🆘 🇨🇺',
];
export const EMOJI = GROUPS.map((group) => group.split(' '));
