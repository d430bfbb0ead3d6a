"""Telegraph: a self-hosted, peer-to-peer messenger.

The public Python API. A bot is a few lines::

    async with telegraph.Node("bot-data", manager="https://localhost:8000", ca="ca.pem") as node:
        await node.login("bot", password)
        async for event in node.events():
            if isinstance(event, telegraph.MessageReceived):
                await node.send(event.message.sender, "I got: " + event.message.text)
"""
