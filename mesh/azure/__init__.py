"""The ports over Azure's own SDKs; nothing outside this package imports those.

clients              the SDK's clients, made when first needed, for Azure and local Azure alike
failures             what an SDK raises, as the errors of the mesh
rows                 nouns as rows of a table, within the limits of a table
registry             the record
tables               catalogue, sagas, subscriptions, deliveries
storage              blobs
event_grid           the topic `mesh-events`
service_bus          the queues
topic_subscriptions  the subscriptions of the topic `product-events`
"""
