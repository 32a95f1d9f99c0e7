# im-import load against the module: what was mapped is what the API shows,
# once, whatever is repeated; what is refused is told; the example for SQL.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Test::IM;
use Test::Import;

my $json = JSON::PP->new->utf8->canonical;
my $t = Test::IM->new(workers => 2, conf_im => 'im_import on; im_reply full;',
    conf_server => 'location /off/ { im_pass store; }
        location /recall/ { im_pass store; im_recall_window 0; }')->start;
my $i = Test::Import->new($t);
my $dir = $t->dir;
my $url = $i->url;


# --- the samples

{
    $i->run(map => '--dir', $dir, '--tables', "$Test::Import::DIR/sample/_Conversation.0.jsonl",
         '--pages', "$Test::Import::DIR/sample/messages.json");
    is($i->run(load => '--dir', $dir, '--dry-run'), 0, 'a dry run');
    like($i->out, qr/3 batches with 20 messages of 3 conversations/, 'counts');
    is_deeply($t->redis('KEYS', '*'), [], 'and stores nothing');

    is($i->run(load => '--dir', $dir, '--url', $url), 0, 'the samples');
    like($i->out, qr/^20 messages stored, 0 were there/, 'all of them');
    my @convs = map { $_->{conv_id} } @{ $t->list('u_mo') };
    is_deeply(\@convs, [ map { "6731c2$_" } qw(cf5f0e4b19d8a7c303 b95f0e4b19d8a7c302 a45f0e4b19d8a7c301) ],
              'conversations under their old ids, newest first');
    is($t->unread('u_mo'), 0, 'all is read');
    my $page = $t->page($convs[2]);
    is_deeply([ @{ $page->[0] }{qw(msg_id from_time from_id)} ],
              [ 'M9oPelTDS8atMbKhlrn6Bw', 1794967560000, 'u_lan' ], 'messages, too');
    is_deeply($t->texts($t->pair('u_mo', 'u_lan')), $t->texts($page), 'the pair by its users');

    is($i->run(load => '--dir', $dir, '--url', $url), 0, 'again');
    like($i->out, qr/3 lines done before/, 'the journal is known');
    is($i->run(load => '--dir', $dir, '--url', $url, '--again'), 0, 'without the journal');
    like($i->out, qr/^0 messages stored, 20 were there/, 'nothing is stored twice');
    is($t->say('u_lan', 'u_mo', 'and on')->json->{conv_id}, $convs[2], 'it goes on there');
}


# --- what can be wrong

{
    is($i->run(load => '--url', $url =~ s/im/off/r, "$dir/out/batches.jsonl"), 2, 'im_import off');
    like($i->out, qr/is im_import on\?/, 'is said');
    is($i->run(load => '--url', 'http://127.0.0.1:1/', '--patience', 0.1, "$dir/out/batches.jsonl"), 3,
       'nobody there');

    my $g = $t->group('ann', [qw(bob)], name => 'other');
    my $now = $t->say_in('ann', $g, 'live')->json->{msg_time};
    $i->file('bad.jsonl', $i->batch('c1', [qw(a b)], 1, 2), $i->batch('c1', [qw(a b)], 0), $i->batch('c1', [qw(a b)], 3),
         $i->batch('c2', [qw(a b)], 1), '{"call":"user/get","body":{}}', 'x',
         $i->batch($g, [qw(ann bob)], 5), '{"call":"user/set","body":{"users":[{"id":"a","name":"A"}]}}');
    is($i->run(load => '--url', $url, "$dir/bad.jsonl"), 1, 'lines that are refused');
    like($i->out, qr/^3 messages stored.*4 lines refused, 1 held back/ms, 'are counted');
    is_deeply([ sort map { my $r = $json->decode($_); "$r->{line} $r->{code}" }
                split /\n/, slurp("$dir/bad.jsonl.refused.jsonl") ],
              [ '2 import_conflict', '5 bad_line', '6 bad_line', '7 import_conflict' ],
              'and listed');
    is_deeply($t->texts($t->page('c1')), [ 'm2', 'm1' ], 'nothing after a line that was refused');
    is($t->post('/im/user/get', { ids => ['a'] })->json->[0]{name}, 'A', 'other lines go on');

    $i->file('late.jsonl', $i->batch($g, [qw(ann bob)], 5, 6));
    is($i->run(load => '--url', $url, '--late', 'send', "$dir/late.jsonl"), 0, '--late send');
    like($i->out, qr/2 sent as new/, 'says so');
    is_deeply($t->texts($t->page($g)), [qw(m6 m5 live)], 'nothing is lost');
    is($t->unread_in('bob', $g), 1, 'they are new messages');
    $i->run(load => '--url', $url, '--late', 'send', '--again', "$dir/late.jsonl");
    is(@{ $t->page($g) }, 3, 'and sent once');
}


# --- recalled between two pulls

{
    $i->run(load => '--url', $url, $i->file('r1.jsonl', $i->batch('rec1', [qw(a b)], 1, 2)));
    my $recall = sub { $json->encode({ call => 'msg/recall',
        body => { conv_id => 'rec1', msg_id => "rec1/$_[0]", from_id => $_[1] } }) };
    my $file = $i->file('r2.jsonl', $recall->(1, 'b'), $recall->(9, 'b'));
    is($i->run(load => '--url', $url, $file), 1, 'too late by default');
    is($i->run(load => '--url', $url =~ s/im/recall/r, $file), 0, 'with im_recall_window 0')
        or diag($i->out);
    is_deeply($t->texts($t->page('rec1')), [ 'm2', '' ], 'the text is gone');
}


# --- members that changed between two pulls

{
    $i->file('m1.jsonl', map { $i->batch($_, [qw(a b c)], 1) } qw(m1 m2 m3));
    $i->run(load => '--url', $url, "$dir/m1.jsonl");
    $i->file('m2.jsonl', map { $i->batch($_, [qw(b c d)], 1, 2) } qw(m1 m2 m3));
    is($i->run(load => '--url', $url, "$dir/m2.jsonl"), 1, 'other members are a conflict');
    $i->file('m2.jsonl', $i->batch('m1', [qw(b c d)], 1, 2));
    is($i->run(load => '--url', $url, '--members', 'keep', "$dir/m2.jsonl"), 0, '--members keep');
    is_deeply([ map { $_->{id} } @{ $t->members('m1') } ], [qw(a b c)], 'they stay');
    $i->file('m2.jsonl', $i->batch('m2', [qw(b c d)], 1, 2));
    is($i->run(load => '--url', $url, '--members', 'follow', "$dir/m2.jsonl"), 0, '--members follow');
    is_deeply([ map { $_->{id} } @{ $t->members('m2') } ], [qw(b c d)], 'they change, and the owner');
    is_deeply($t->texts($t->page($_)), [qw(m2 m1)], 'the messages are there') for qw(m1 m2);
    is($t->unread('d'), 0, 'read');
}


# --- the example for SQL tables

SKIP: {
    skip 'no sqlite3', 6 if !grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};
    system("sqlite3 $dir/chat.db < $Test::Import::DIR/example-data.sql"
           . " && sqlite3 $dir/chat.db < $Test::Import::DIR/example.sql > $dir/sql.jsonl");
    is($?, 0, 'example.sql');
    is($i->run(load => '--dry-run', "$dir/sql.jsonl"), 0, 'its lines are batches') or diag($i->out);
    is($i->run(load => '--url', $url, "$dir/sql.jsonl"), 0, 'and are loaded') or diag($i->out);
    is_deeply([ $i->walk('r2') ], [ "two\nlines", map { "message $_" } 1 .. 2500 ], 'in order');
    is_deeply($t->texts($t->pair('u1', 'u2')), [ 'hello "Ann"', '/picture.jpg' ], 'a 1:1');
    is_deeply([ map { "$_->{id} $_->{name}" } @{ $t->members('r2') } ], [ 'u2 Bob', 'u3 ', 'u1 Ann' ],
              'members and names');
}

$t->done;
done_testing;
